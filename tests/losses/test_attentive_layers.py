"""ALP-KD against plain loops, its buckets by hand, and input that breaks careless arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.attentive_layers import Buckets, alp, buckets, layer_weights

KINDS: tuple[Buckets, ...] = ("all", "no", "po")


def states(m: int = 2, n: int = 6, batch: int = 3, width: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(m + n)
    student, teacher = (torch.randn(layers, batch, width, generator=generator, dtype=dtype) for layers in (m, n))
    return [student.requires_grad_(), teacher]


def in_bucket(j: int, k: int, m: int, n: int, kind: str) -> bool:
    if kind == "all":
        return True
    reach = 1 if kind == "po" else 0
    return j * (n // m) - reach <= k <= (j + 1) * (n // m) - 1 + reach


def loop(student: Tensor, teacher: Tensor, kind: str, *, scaled: bool, mean: bool) -> Tensor:
    (m, batch, width), n = student.shape, len(teacher)
    total = torch.zeros((), dtype=student.dtype)
    for b in range(batch):
        for j in range(m):
            chosen = [teacher[k, b] for k in range(n) if in_bucket(j, k, m, n, kind)]
            scores = [(student[j, b] * other).sum() / (math.sqrt(width) if scaled else 1) for other in chosen]
            exponentials = [score.exp() for score in scores]
            target = torch.zeros(width, dtype=student.dtype)
            for exponential, other in zip(exponentials, chosen, strict=True):
                target = target + exponential / torch.stack(exponentials).sum() * other
            total = total + ((student[j, b] - target) ** 2).sum() / width
    return total / (batch * m) if mean else total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("m", "n"), [(2, 6), (3, 3), (1, 4), (4, 12)])
def test_equals_plain_loops(kind: Buckets, scaled: bool, reduction: str, m: int, n: int) -> None:
    student, teacher = states(m, n)
    again = student.detach().clone().requires_grad_()
    value = alp(student, teacher, buckets(m, n, kind), scaled=scaled, reduction=reduction)  # type: ignore[arg-type]
    expected = loop(again, teacher, kind, scaled=scaled, mean=reduction == "mean")
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, student), torch.autograd.grad(expected, again))


def test_buckets_by_hand() -> None:
    assert buckets(2, 4, "no").tolist() == [[True, True, False, False], [False, False, True, True]]
    assert buckets(2, 4, "po").tolist() == [[True, True, True, False], [False, True, True, True]]
    assert buckets(2, 3).tolist() == [[True] * 3] * 2
    assert buckets(4, 12, "po").sum(dim=-1).tolist() == [4, 5, 5, 4]
    assert buckets(3, 3, "no").equal(torch.eye(3, dtype=torch.bool))


@pytest.mark.parametrize("kind", ["no", "po"])
def test_uneven_blocks_are_refused(kind: Buckets) -> None:
    with pytest.raises(ValueError, match=r"12 teacher layers among 5 .*a student of 1, 2, 3, 4, 6, 12 layers can"):
        buckets(5, 12, kind)
    assert buckets(5, 12, "all").all()


def test_refusals() -> None:
    student, teacher = states(2, 6)
    with pytest.raises(ValueError, match="'all', 'no' and 'po'"):
        buckets(2, 6, "ALL")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 layer or more"):
        buckets(0, 6)
    with pytest.raises(ValueError, match="'mean' and 'sum'"):
        alp(student, teacher, buckets(2, 6), reduction="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of the same B and D"):
        alp(student[..., :1], teacher, buckets(2, 6))
    with pytest.raises(ValueError, match=r"wanted is \(2, 6\)"):
        alp(student, teacher, buckets(1, 6))
    with pytest.raises(ValueError, match="no teacher layer at all"):
        alp(student, teacher, torch.zeros(2, 6, dtype=torch.bool))


def test_weights_by_hand() -> None:
    # Scores ln 3 and 0: weights 3/4 and 1/4, and nothing for the layer outside the bucket.
    student = torch.tensor([[[math.log(3.0), 0.0]]])
    teacher = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[50.0, 0.0]]])
    allowed = torch.tensor([[True, True, False]])
    torch.testing.assert_close(layer_weights(student, teacher, allowed), torch.tensor([[[0.75, 0.25, 0.0]]]))
    expected = ((math.log(3.0) - 0.75) ** 2 + 0.25**2) / 2
    assert alp(student, teacher, allowed).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_after_rotation_and_in_another_order(kind: Buckets) -> None:
    student, teacher = states(2, 6)
    allowed = buckets(2, 6, kind)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(9)))
    expected = alp(student, teacher, allowed)
    torch.testing.assert_close(alp(student @ rotation, teacher @ rotation, allowed), expected)
    torch.testing.assert_close(alp(student[:, [2, 0, 1]], teacher[:, [2, 0, 1]], allowed), expected)
    order = [5, 1, 0, 3, 4, 2]
    torch.testing.assert_close(alp(student, teacher[order], allowed[:, order]), expected)


BREAKING: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "random": lambda s, t: (s, t),
    "equal vectors": lambda s, t: (s[:1, :1].expand_as(s), t[:1, :1].expand_as(t)),
    "zero": lambda s, t: (0 * s, 0 * t),
    "zero student": lambda s, t: (0 * s, t),
    "zero teacher": lambda s, t: (s, 0 * t),
    "student is teacher": lambda s, t: (t[: len(s)], t),
    "large": lambda s, t: (1e4 * s, 1e4 * t),
    "tiny": lambda s, t: (1e-15 * s, 1e-15 * t),
    "one sample": lambda s, t: (s[:, :1], t[:, :1]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", BREAKING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(kind: Buckets, how: str, dtype: torch.dtype) -> None:
    given, teacher = (tensor.detach().to(dtype) for tensor in BREAKING[how](*states(2, 6, dtype=torch.float32)))
    student = given.clone().requires_grad_()
    teacher.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = alp(student, teacher, buckets(2, 6, kind))
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert teacher.grad is None
    assert value == alp(given.float(), teacher.detach().float(), buckets(2, 6, kind))
