"""FSP and MMD: plain loops over the real tokens, padding, awkward sequences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.tokens import fsp, mmd

from .compare import assert_equal_losses, assert_finite, normal, value_and_gradient

States = tuple[Tensor, Tensor]
Relation = Callable[..., Tensor]

LENGTHS = (4, 2, 1)
MASK = (torch.arange(4) < torch.tensor(LENGTHS).unsqueeze(1)).long()
STUDENT, OTHER = normal(3, 4, 5), normal(3, 4, 5, seed=1)
TEACHER = (normal(3, 4, 5, seed=2), normal(3, 4, 5, seed=3))
WIDE = (normal(3, 4, 7, seed=2), normal(3, 4, 7, seed=3))


def loop_fsp(student: States, teacher: States, lengths: tuple[int, ...]) -> Tensor:
    width = student[0].shape[-1]
    total = torch.zeros((), dtype=torch.float64)
    for b, number in enumerate(lengths):
        for c in range(width):
            for d in range(width):
                s, t = (sum(x[b, i, c] * y[b, i, d] for i in range(number)) / number for x, y in (student, teacher))
                total = total + (s - t) ** 2
    return total / (len(lengths) * width**2)


def loop_mmd(student: States, teacher: States, lengths: tuple[int, ...]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for b, number in enumerate(lengths):
        for i in range(number):
            for j in range(number):
                s, t = (x[b, i] @ y[b, j] / x.shape[-1] for x, y in (student, teacher))
                total = total + (s - t) ** 2
    return total / sum(number**2 for number in lengths)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("ours", "loops", "teacher"), [(fsp, loop_fsp, TEACHER), (mmd, loop_mmd, WIDE)])
def test_equals_plain_loops(ours: Relation, loops: Relation, teacher: States, masked: bool) -> None:
    mask, lengths = (MASK, LENGTHS) if masked else (None, (4, 4, 4))
    assert_equal_losses(
        lambda s: ours((s, OTHER), teacher, mask), lambda s: loops((s, OTHER), teacher, lengths), STUDENT
    )
    assert_equal_losses(
        lambda s: ours((OTHER, s), teacher, mask), lambda s: loops((OTHER, s), teacher, lengths), STUDENT
    )
    assert_equal_losses(lambda s: ours((s, s), teacher, mask), lambda s: loops((s, s), teacher, lengths), STUDENT)


def padded(states: Tensor, value: float) -> Tensor:
    """NaN or another value where MASK is 0, and two more positions of it."""
    states = states.masked_fill(~MASK.bool().unsqueeze(-1), value)
    return torch.cat([states, torch.full_like(states[:, :2], value)], dim=1)


@pytest.mark.parametrize("value", [0.0, 1e4, torch.nan])
@pytest.mark.parametrize("loss", [fsp, mmd])
def test_padding_does_not_matter(loss: Relation, value: float) -> None:
    expected, expected_gradient = value_and_gradient(lambda s: loss((s, OTHER), TEACHER, MASK), STUDENT)
    other, teacher = padded(OTHER, value), tuple(padded(states, value) for states in TEACHER)
    mask = torch.cat([MASK, torch.zeros_like(MASK[:, :2])], dim=1)
    again, gradient = value_and_gradient(lambda s: loss((s, other), teacher, mask), padded(STUDENT, value))
    torch.testing.assert_close(again, expected)
    torch.testing.assert_close(gradient[:, :4], expected_gradient)
    assert not gradient[:, 4:].any()


def test_values_worked_out_by_hand() -> None:
    a, b = torch.tensor([[[1.0], [2.0], [9.0]]]), torch.tensor([[[3.0], [1.0], [9.0]]])
    zero, mask = torch.zeros(1, 3, 1), torch.tensor([[1, 1, 0]])
    assert fsp((a, b), (zero, zero), mask).item() == pytest.approx(((3 + 2) / 2) ** 2)
    assert mmd((a, b), (zero, zero), mask).item() == pytest.approx((9 + 1 + 36 + 4) / 4)
    # Every token counts alike in both, in any order.
    order = [1, 0, 2]
    assert fsp((a[:, order], b[:, order]), (zero, zero), mask) == fsp((a, b), (zero, zero), mask)


def test_teacher_rotation() -> None:
    # G of MMD holds inner products of tokens: a rotation of both layers of one side changes nothing.
    rotation = torch.linalg.qr(normal(7, 7, seed=5)).Q
    turned = (WIDE[0] @ rotation, WIDE[1] @ rotation)
    torch.testing.assert_close(mmd((STUDENT, OTHER), turned, MASK), mmd((STUDENT, OTHER), WIDE, MASK))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss", [fsp, mmd])
def test_finite(loss: Relation, dtype: torch.dtype) -> None:
    def itself(states: Tensor, teacher: States, mask: Tensor | None) -> Tensor:
        return loss((states, states), teacher, mask)

    student, teacher = STUDENT.to(dtype), (TEACHER[0].to(dtype), TEACHER[1].to(dtype))
    for given in (student, 0 * student, 1e3 * student, student[:, :1].expand(-1, 4, -1), teacher[0]):
        for mask in (None, MASK, torch.tensor([[1, 0, 0, 0]] * 3), torch.zeros_like(MASK)):
            value = assert_finite(itself, given, teacher, mask)
            assert value >= 0
            if mask is not None and not mask.any():
                assert value == 0
    same = (teacher[0], teacher[0])
    assert assert_finite(itself, teacher[0], same, MASK) == 0
    one = (teacher[0][:1, :1], teacher[1][:1, :1])
    assert_finite(itself, student[:1, :1], one, MASK[:1, :1])


def test_teacher_is_a_constant_and_widths_are_checked() -> None:
    teacher = (TEACHER[0].clone().requires_grad_(), TEACHER[1].clone().requires_grad_())
    for loss in (fsp, mmd):
        loss((STUDENT.clone().requires_grad_(), OTHER), teacher, MASK).backward()
        assert [states.grad for states in teacher] == [None, None]
    with pytest.raises(ValueError, match=r"\(3, 4, 7\): their shapes must be equal"):
        fsp((STUDENT, OTHER), WIDE, MASK)
