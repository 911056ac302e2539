"""Soft losses with many temperatures, and the two rules that choose a temperature for each sample."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.dynamic_temperature import cwsm, flsw
from raykd.losses.logits import logits_mse, soft_cross_entropy
from raykd.losses.positions import position_cross_entropy, position_mse

from .compare import assert_equal_losses, assert_finite, normal

Loss = Callable[..., Tensor]

STUDENT, TEACHER = normal(2, 3, 4), normal(2, 3, 4, seed=1)
OF_SAMPLES, OF_POSITIONS = torch.tensor([1.0, 4.0]), torch.tensor([[1.0, 2.0, 3.0], [0.5, 5.0, 8.0]])


def loop(student: Tensor, teacher: Tensor, temperature: Tensor, *, ce: bool) -> Tensor:
    terms = []
    for b in range(2):
        for i in range(3):
            s, t = student[b, i] / temperature[b, i], teacher[b, i] / temperature[b, i]
            p, q = (x.exp() / x.exp().sum() for x in (t, s))
            terms.append(-sum(a * c.log() for a, c in zip(p, q, strict=True)) if ce else ((s - t) ** 2).sum() / 4)
    return torch.stack([torch.as_tensor(term) for term in terms]).mean()


@pytest.mark.parametrize(("ours", "ce"), [(position_cross_entropy, True), (position_mse, False)])
@pytest.mark.parametrize("temperature", [2.5, torch.tensor(2.5), OF_SAMPLES, OF_POSITIONS])
def test_equals_plain_loops(ours: Loss, ce: bool, temperature: float | Tensor) -> None:
    each = torch.as_tensor(temperature)
    each = each.reshape(*each.shape, *(1,) * (2 - each.dim())).expand(2, 3)
    assert_equal_losses(lambda s: ours(s, TEACHER, temperature), lambda s: loop(s, TEACHER, each, ce=ce), STUDENT)


def test_one_number_is_the_ordinary_loss() -> None:
    student, teacher = STUDENT[0], TEACHER[0]
    for ours, ordinary in ((position_cross_entropy, soft_cross_entropy), (position_mse, logits_mse)):
        expected = ordinary(student, teacher, 3.0)
        torch.testing.assert_close(ours(student, teacher, 3.0), expected)
        torch.testing.assert_close(ours(student, teacher, torch.full((3,), 3.0)), expected)


def test_values_worked_out_by_hand() -> None:
    student, teacher = torch.tensor([[2.0, 0.0], [6.0, 0.0]]), torch.zeros(2, 2)
    temperature = torch.tensor([1.0, 3.0])  # both rows become (2, 0)
    assert position_mse(student, teacher, temperature).item() == pytest.approx(2)
    expected = 0.5 * math.log1p(math.exp(2)) + 0.5 * math.log1p(math.exp(-2))
    assert position_cross_entropy(student, teacher, temperature).item() == pytest.approx(expected)
    # A cross-entropy ignores what is added to all logits of a position.
    moved = position_cross_entropy(STUDENT + 7, TEACHER - 2, OF_POSITIONS)
    torch.testing.assert_close(moved, position_cross_entropy(STUDENT, TEACHER, OF_POSITIONS))


@pytest.mark.parametrize("loss", [position_cross_entropy, position_mse])
def test_refuses_what_would_broadcast(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"temperature \(3,\) for logits \(2, 3, 4\)"):
        loss(STUDENT, TEACHER, torch.ones(3))
    with pytest.raises(ValueError, match="temperature"):
        loss(STUDENT, TEACHER, torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match=r"teacher's \(2, 1, 4\)"):
        loss(STUDENT, TEACHER[:, :1], 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss", [position_cross_entropy, position_mse])
def test_finite_and_constant(loss: Loss, dtype: torch.dtype) -> None:
    student, teacher = STUDENT.to(dtype), TEACHER.to(dtype).requires_grad_()
    temperature = OF_POSITIONS.clone().requires_grad_()
    for given in (student, 0 * student, 1e4 * student, teacher):
        assert assert_finite(lambda s: loss(s, teacher, temperature), given) >= 0
    assert_finite(lambda s: loss(s, teacher[:1, :1], temperature[:1, :1]), student[:1, :1])
    assert teacher.grad is None
    assert temperature.grad is None


def test_temperatures_equal_plain_loops() -> None:
    student, teacher = STUDENT[0], TEACHER[0]
    for beta, gamma in ((1.0, 2.0), (0.5, 1.5)):
        weights = []
        for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
            norms = [math.sqrt(sum(x**2 for x in row)) + 1e-4 for row in (s, t)]
            weights.append((1 - sum(a * b for a, b in zip(s, t, strict=True)) / (norms[0] * norms[1])) ** gamma)
        expected = [4 + beta * (sum(weights) / 3 - weight) for weight in weights]
        assert flsw(student, teacher, base=4.0, beta=beta, gamma=gamma).tolist() == pytest.approx(expected)
    weights = [1 / (max(math.exp(x) for x in s) / sum(math.exp(x) for x in s) + 1e-3) for s in student.tolist()]
    expected = [2 + 0.5 * (sum(weights) / 3 - weight) for weight in weights]
    assert cwsm(student, base=2.0, beta=0.5).tolist() == pytest.approx(expected)


def test_temperatures_by_hand() -> None:
    # Agreeing, orthogonal, opposed: w = 0, 1, 4, nearly.
    student, teacher = (
        torch.tensor([[3.0, 0.0], [0.0, 5.0], [2.0, 0.0]]),
        torch.tensor([[1.0, 0.0]] * 2 + [[-1.0, 0.0]]),
    )
    torch.testing.assert_close(
        flsw(student, teacher, base=4.0), 4 + 5 / 3 - torch.tensor([0.0, 1, 4]), atol=1e-3, rtol=0
    )
    sure = cwsm(torch.tensor([[50.0, 0.0], [0.0, 0.0]]), base=4.0)
    assert sure.tolist() == pytest.approx([4.5, 3.5], abs=3e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_temperatures_are_finite_constants(dtype: torch.dtype) -> None:
    student, teacher = STUDENT[0].to(dtype).requires_grad_(), TEACHER[0].to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        for given, other in (
            (student, teacher),
            (0 * student, teacher),
            (1e6 * teacher, 1e6 * teacher),
            (student[:1],) * 2,
        ):
            for temperatures in (flsw(given, other, base=4.0, gamma=1.5), cwsm(given, base=4.0)):
                assert temperatures.dtype == torch.float32
                assert not temperatures.requires_grad
                assert temperatures.shape == given.shape[:1]
                assert torch.isfinite(temperatures).all()
                assert temperatures.mean().item() == pytest.approx(4.0)
