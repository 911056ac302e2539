"""The step along the gradient, and the stages of training."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from raykd.losses.perturbation import Norm, perturb

NORMS = get_args(Norm)


def given(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    embeddings, gradient = (torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return embeddings.to(dtype), gradient.to(dtype)


def loop(embeddings: Tensor, gradient: Tensor, norm: str) -> Tensor:
    moved = embeddings.clone()
    for b in range(len(moved)):
        for i in range(moved.shape[1]):
            over = {"sample": gradient[b], "batch": gradient, "token": gradient[b, i]}[norm]
            moved[b, i] += gradient[b, i] / sum(entry**2 for entry in over.flatten()) ** 0.5
    return moved


@pytest.mark.parametrize("norm", NORMS)
def test_equals_plain_loops(norm: Norm) -> None:
    embeddings, gradient = given()
    torch.testing.assert_close(perturb(embeddings, gradient, norm), loop(embeddings, gradient, norm))
    if norm == "sample":
        assert torch.equal(perturb(embeddings, gradient), perturb(embeddings, gradient, norm))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-300, 1e-20, 2.0**16, 1e200])
def test_the_size_of_the_gradient_does_not_matter(norm: Norm, scale: float) -> None:
    embeddings, gradient = given()
    torch.testing.assert_close(perturb(embeddings, scale * gradient, norm), perturb(embeddings, gradient, norm))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_no_gradient_no_step(norm: Norm, dtype: torch.dtype) -> None:
    embeddings, gradient = given(dtype)
    assert torch.equal(perturb(embeddings, 0 * gradient, norm), embeddings)
    gradient[1] = 0
    moved = perturb(embeddings, gradient, norm)
    assert moved.dtype == dtype
    assert torch.isfinite(moved).all()
    assert torch.equal(moved[1], embeddings[1])
    assert not torch.equal(moved[0], embeddings[0])


def test_the_step_is_a_constant() -> None:
    embeddings, _ = given()
    embeddings.requires_grad_()
    (gradient,) = torch.autograd.grad((embeddings**3).sum(), embeddings, create_graph=True)
    moved = perturb(embeddings, gradient)
    assert torch.equal(torch.autograd.grad(moved.sum(), embeddings)[0], torch.ones_like(embeddings))


@pytest.mark.parametrize("norm", NORMS)
def test_padding_stays(norm: Norm) -> None:
    embeddings, gradient = given()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    real = mask.bool().unsqueeze(-1)
    expected = perturb(embeddings, torch.where(real, gradient, 0.0), norm)
    moved = perturb(embeddings, torch.where(real, gradient, torch.nan), norm, attention_mask=mask)
    assert torch.equal(moved, expected)
    assert torch.equal(moved[~mask.bool()], embeddings[~mask.bool()])


def test_mistakes() -> None:
    embeddings, gradient = given()
    with pytest.raises(ValueError, match="'sample', 'batch' and 'token'"):
        perturb(embeddings, gradient, "layer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\[B, L, D\]"):
        perturb(embeddings, gradient[0])
