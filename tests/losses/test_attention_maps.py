"""Losses on attention scores: plain loops with and without mask, padding, awkward scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.attention_maps import att_ce, att_ce_mean, att_mse, att_mse_sum

from .compare import assert_equal_losses, assert_finite, normal, value_and_gradient

Loss = Callable[..., Tensor]

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
STUDENT, TEACHER = 2 * normal(3, 2, 4, 4), 2 * normal(3, 2, 4, 4, seed=1)


def zeroed(score: Tensor) -> Tensor:
    return torch.zeros_like(score) if score.item() <= -1e-3 else score


def loop(student: Tensor, teacher: Tensor, mask: Tensor | None, *, ce: bool) -> Tensor:
    batch, heads, length, _ = student.shape
    total, number = torch.zeros((), dtype=student.dtype), 0
    for b in range(batch):
        real = length if mask is None else int(mask[b].sum())
        number += heads * (real if ce else real**2)
        for h in range(heads):
            for i in range(real):
                s, t = student[b, h, i], teacher[b, h, i]
                q, p = s.exp() / s.exp().sum(), t.exp() / t.exp().sum()
                for j in range(real):
                    if ce:
                        dropped = mask is None and t[j].item() <= -1e-3
                        total = total - (0 if dropped else p[j] * q[j].log())
                    else:
                        pair = (s[j], t[j]) if mask is not None else (zeroed(s[j]), zeroed(t[j]))
                        total = total + (pair[0] - pair[1]) ** 2
    return total / number


LOSSES: dict[str, tuple[Loss, Loss]] = {
    "att_mse": (att_mse, lambda s, t, m: loop(s, t, m, ce=False)),
    "att_mse_sum": (att_mse_sum, lambda s, t, m: loop(s.sum(1, True), t.sum(1, True), m, ce=False)),
    "att_ce": (att_ce, lambda s, t, m: loop(s, t, m, ce=True)),
    "att_ce_mean": (att_ce_mean, lambda s, t, m: loop(s.mean(1, True), t.mean(1, True), m, ce=True)),
}
OVER_HEADS = ("att_mse_sum", "att_ce_mean")


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_plain_loops(name: str, masked: bool) -> None:
    ours, loops = LOSSES[name]
    mask = MASK if masked else None
    heads = 3 if name in OVER_HEADS else 2
    teacher = 2 * normal(3, heads, 4, 4, seed=1)
    assert_equal_losses(lambda s: ours(s, teacher, mask), lambda s: loops(s, teacher, mask), STUDENT)


@pytest.mark.parametrize("value", [0.0, 100.0, torch.nan, -torch.inf])
@pytest.mark.parametrize("added", [-10000.0, -torch.inf])
@pytest.mark.parametrize("name", LOSSES)
def test_padding_does_not_matter(name: str, added: float, value: float) -> None:
    """Padded queries hold any value, padded keys of real queries the published -10000 or -inf."""
    ours, _ = LOSSES[name]
    keys, queries = MASK.bool()[:, None, None, :], MASK.bool()[:, None, :, None]

    def scores(given: Tensor) -> Tensor:
        return given.masked_fill(~keys, added).masked_fill(~queries, value)

    def longer(given: Tensor) -> Tensor:
        wide = torch.cat([given, torch.full_like(given[..., :2], added)], dim=-1)
        return torch.cat([wide, torch.full_like(wide[..., :2, :], value)], dim=-2)

    student, teacher = scores(STUDENT), scores(TEACHER)
    expected, expected_gradient = value_and_gradient(lambda s: ours(s, teacher, MASK), student)
    # The same by a sample of its own, without any padding.
    number = [int(row.sum()) for row in MASK]
    alone = [
        ours(STUDENT[b : b + 1, :, :n, :n], TEACHER[b : b + 1, :, :n, :n], MASK[b : b + 1, :n])
        for b, n in enumerate(number)
    ]
    weights = [n if "ce" in name else n**2 for n in number]
    by_sample = sum(weight * part for weight, part in zip(weights, alone, strict=True)) / sum(weights)
    torch.testing.assert_close(expected, by_sample)

    mask = torch.cat([MASK, torch.zeros_like(MASK[:, :2])], dim=1)
    again, gradient = value_and_gradient(lambda s: ours(s, longer(teacher), mask), longer(student))
    torch.testing.assert_close(again, expected)
    torch.testing.assert_close(gradient[..., :4, :4], expected_gradient)
    assert not gradient[..., 4:, :].any()
    assert not gradient[..., 4:].any()


def test_values_worked_out_by_hand() -> None:
    student, teacher = torch.tensor([[[[1.0, -2.0], [3.0, 0.0]]]]), torch.tensor([[[[2.0, -5.0], [0.0, -1.0]]]])
    assert att_mse(student, teacher, torch.tensor([[1, 1]])).item() == pytest.approx((1 + 9 + 9 + 1) / 4)
    assert att_mse(student, teacher, torch.tensor([[1, 0]])).item() == pytest.approx(1)
    # Negative scores count as masked without a mask.
    assert att_mse(student, teacher).item() == pytest.approx((1 + 0 + 9 + 0) / 4)
    level = torch.zeros(1, 1, 2, 2)
    assert att_ce(level, level, torch.tensor([[1, 1]])).item() == pytest.approx(torch.tensor(2.0).log().item())
    # All keys are in the softmax, and the padded one is dropped after it.
    assert att_ce(level, level, torch.tensor([[1, 0]])).item() == pytest.approx(0.5 * torch.tensor(2.0).log().item())


@pytest.mark.parametrize("name", LOSSES)
def test_ignores_the_order_of_heads(name: str) -> None:
    ours, _ = LOSSES[name]
    expected = ours(STUDENT, TEACHER, MASK)
    torch.testing.assert_close(ours(STUDENT.flip(1), TEACHER.flip(1), MASK), expected)
    alone = ours(STUDENT.flip(1), TEACHER, MASK)
    assert torch.isclose(alone, expected) == (name in OVER_HEADS)
    if "ce" in name:  # a softmax ignores what is added to its whole row
        torch.testing.assert_close(ours(STUDENT + 3, TEACHER - 5, MASK), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_finite(name: str, dtype: torch.dtype) -> None:
    ours, _ = LOSSES[name]
    student, teacher = STUDENT.to(dtype), TEACHER.to(dtype)
    for given in (student, 0 * student, 1e3 * student, teacher):
        for mask in (None, MASK, torch.tensor([[1, 0, 0, 0]] * 3), torch.zeros_like(MASK)):
            value = assert_finite(ours, given, teacher, mask)
            assert value >= 0
            if mask is not None and not mask.any():
                assert value == 0
    assert_finite(ours, student[:1, :, :1, :1], teacher[:1, :, :1, :1], MASK[:1, :1])


def test_teacher_is_a_constant_and_heads_are_checked() -> None:
    teacher = TEACHER.clone().requires_grad_()
    for ours, _ in LOSSES.values():
        ours(STUDENT.clone().requires_grad_(), teacher, MASK).backward()
        assert teacher.grad is None
    for loss in (att_mse, att_ce):
        with pytest.raises(ValueError, match=r"\(3, 1, 4, 4\)"):
            loss(STUDENT, TEACHER[:, :1], MASK)
