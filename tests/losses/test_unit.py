"""Directions: by hand, over other dimensions, and where there is none."""

from __future__ import annotations

import pytest
import torch

from raykd.losses.unit import unit

from .compare import normal


def test_by_hand() -> None:
    vectors = torch.tensor([[3.0, -4.0], [0.0, 0.0], [0.0, 2.0]])
    torch.testing.assert_close(unit(vectors), torch.tensor([[0.6, -0.8], [0.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(unit(vectors, "l1"), torch.tensor([[3 / 7, -4 / 7], [0.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(unit(vectors, added=1.0), torch.tensor([[0.5, -2 / 3], [0.0, 0.0], [0.0, 2 / 3]]))
    torch.testing.assert_close(unit(vectors, dim=0), torch.tensor([[1.0, -2 / 5**0.5], [0.0, 0.0], [0.0, 1 / 5**0.5]]))
    torch.testing.assert_close(unit(vectors, dim=(0, 1)), vectors / 29**0.5)
    with pytest.raises(ValueError, match="'l1' and 'l2'"):
        unit(vectors, "l3")  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("dim", [-1, 1, (-1, -2)])
@pytest.mark.parametrize("added", [0.0, 0.5])
def test_gradient(norm: str, dim: int | tuple[int, ...], added: float) -> None:
    vectors = normal(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: unit(x, norm, dim=dim, added=added), (vectors,))  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_counts_as_zero_has_no_gradient(norm: str, dtype: torch.dtype) -> None:
    vectors = torch.tensor([[0.0, 0.0], [9e-13, 0.0], [0.0, -1.1e-12], [1e-30, 1e-30]], dtype=dtype).requires_grad_()
    directions = unit(vectors, norm)  # type: ignore[arg-type]
    torch.testing.assert_close(directions, torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, -1.0], [0.0, 0.0]]).to(dtype))
    (gradient,) = torch.autograd.grad(directions.sum(), vectors)
    assert torch.isfinite(gradient).all()
    assert not gradient[[0, 1, 3]].any()
    assert gradient[2].any()
