"""Combinatorial KD: the published layer sets, both forms against plain loops, padding, hard input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from raykd.losses.layer_combination import (
    COMBINATIONS,
    allowed_combinations,
    combination_loss,
    concatenated,
    layer_sets,
    projected_teacher_loss,
)

FORMS: dict[str, Callable[..., Tensor]] = {"code": combination_loss, "paper": projected_teacher_loss}
MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]])


def from_one(combination: str, m: int, n: int) -> list[list[int]]:
    return [[layer + 1 for layer in chosen] for chosen in layer_sets(m, n, combination)]


def test_the_published_sets() -> None:
    assert from_one("regular", 2, 6) == [[1, 2, 3], [4, 5, 6]]
    assert from_one("overlap", 2, 6) == [[1, 2, 3, 4], [3, 4, 5, 6]]
    assert from_one("skip", 2, 6) == [[3], [6]]
    assert from_one("skip_comb", 2, 6) == [[1, 3, 5], [2, 4, 6]]
    assert from_one("cross", 2, 6) == [[1, 3], [4, 6]]
    assert from_one("skip_middle", 2, 6) == [[1, 2], [5, 6]]


def test_other_networks() -> None:
    assert from_one("overlap", 4, 12) == [[1, 2, 3, 4], [3, 4, 5, 6, 7], [6, 7, 8, 9, 10], [9, 10, 11, 12]]
    assert from_one("regular", 6, 12) == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]
    assert from_one("skip_comb", 4, 12) == [[1, 5, 9], [2, 6, 10], [3, 7, 11], [4, 8, 12]]
    assert from_one("cross", 4, 12) == [[1, 3], [4, 6], [7, 9], [10, 12]]
    assert from_one("skip_middle", 4, 12) == [[1, 2], [4, 5], [8, 9], [11, 12]]
    assert from_one("skip_middle", 3, 9) == [[1, 2], [4, 6], [8, 9]]


def test_refusals_name_what_is_allowed() -> None:
    assert allowed_combinations(4, 12) == COMBINATIONS
    assert allowed_combinations(5, 12) == ()
    with pytest.raises(ValueError, match=r"students it has for this teacher: 4; .*: regular, overlap, skip, skip_comb"):
        layer_sets(6, 12, "cross")
    with pytest.raises(ValueError, match=r"teacher: 1, 2, 3, 4, 6, 12; combinations for these networks: none"):
        layer_sets(5, 12, "overlap")
    with pytest.raises(ValueError, match="teacher: none"):
        layer_sets(2, 4, "skip_middle")
    with pytest.raises(ValueError, match="allowed are regular, overlap"):
        layer_sets(2, 6, "regular_comb")


def layers(dtype: torch.dtype = torch.float64, widths: Sequence[int] = (6, 4, 5)) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        [torch.randn(*MASK.shape, width, generator=generator, dtype=dtype) for width in widths] for _ in range(2)
    )
    return [states.requires_grad_() for states in student], teacher


def loop(form: str, student: list[Tensor], teacher: list[Tensor], mask: Tensor, *, mean: bool) -> Tensor:
    total, number = torch.zeros((), dtype=student[0].dtype), 0
    for layer, target in zip(student, teacher, strict=True):
        for b, length in enumerate(mask.sum(dim=-1).tolist()):
            for i in range(length):
                s, t = layer[b, i], target[b, i]
                if form == "code":
                    s, t = s / (s * s).sum().sqrt(), t / (t * t).sum().sqrt()
                total = total + ((s - t) ** 2).sum() / (1 if form == "code" else len(s))
                number += 1
    return total / number if mean else total


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("masked", [True, False])
def test_equals_plain_loops(form: str, reduction: str, masked: bool) -> None:
    student, teacher = layers()
    again, _ = layers()
    value = FORMS[form](student, teacher, MASK if masked else None, reduction=reduction)
    mask = MASK if masked else torch.ones_like(MASK)
    expected = loop(form, again, teacher, mask, mean=reduction == "mean")
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, student), torch.autograd.grad(expected, again))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_padding_has_no_influence(form: str, reduction: str) -> None:
    student, teacher = layers()
    expected = FORMS[form](student, teacher, MASK, reduction=reduction)
    gradients = torch.autograd.grad(expected, student)
    hidden = ~MASK.bool().unsqueeze(-1)
    broken = [states.detach().masked_fill(hidden, torch.nan).requires_grad_() for states in student]
    value = FORMS[form](
        broken, [states.masked_fill(hidden, torch.nan) for states in teacher], MASK, reduction=reduction
    )
    assert value == expected
    for ours, theirs in zip(torch.autograd.grad(value, broken), gradients, strict=True):
        assert torch.equal(ours, theirs)
    longer = [[torch.cat([states, states[:, :2]], dim=1) for states in side] for side in (student, teacher)]
    mask = torch.cat([MASK, torch.zeros_like(MASK[:, :2])], dim=1)
    torch.testing.assert_close(FORMS[form](*longer, mask, reduction=reduction), expected)


def test_the_code_form_sees_directions_only() -> None:
    student, teacher = layers()
    expected = combination_loss(student, teacher, MASK)
    torch.testing.assert_close(combination_loss([7 * s for s in student], [0.1 * t for t in teacher], MASK), expected)
    opposite = combination_loss([-t for t in teacher], teacher, MASK)
    assert opposite.item() == pytest.approx(4)
    student_by_hand, teacher_by_hand = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 9.0]])
    assert combination_loss([student_by_hand], [teacher_by_hand]).item() == pytest.approx(0.36 + 0.04)
    assert projected_teacher_loss([student_by_hand], [teacher_by_hand]).item() == pytest.approx((9 + 25) / 2)


def test_which_side_learns() -> None:
    student, teacher = layers()
    states = torch.stack([teacher[0], teacher[0] + 1]).requires_grad_()
    target = concatenated(states, (1, 0))
    assert torch.equal(target, torch.cat([states[1], states[0]], dim=-1))
    projection = torch.ones(6, 12, dtype=torch.float64, requires_grad=True)
    projected_teacher_loss(student[:1], [target @ projection.T], MASK).backward()
    assert states.grad is None
    assert projection.grad is not None
    assert projection.grad.abs().sum() > 0
    projection.grad = None
    combination_loss(student[:1], [target @ projection.T], MASK).backward()
    assert projection.grad is None


def test_shapes_that_do_not_fit() -> None:
    student, teacher = layers()
    for form in FORMS.values():
        for sets in (teacher[:2], [teacher[0], teacher[1][:1], teacher[2]]):
            with pytest.raises(ValueError, match="as many, of equal shapes"):
                form(student, sets, MASK)
        with pytest.raises(ValueError, match="as many, of equal shapes"):
            form([], [], MASK)
        with pytest.raises(ValueError, match="one vector a token"):
            form(student, teacher, MASK[:, :2])
        with pytest.raises(ValueError, match="'mean' and 'sum'"):
            form(student, teacher, MASK, reduction="none")


BREAKING: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "random": lambda s, t: (s, t),
    "equal tokens": lambda s, t: (s[:1, :1].expand_as(s), t[:1, :1].expand_as(t)),
    "zero": lambda s, t: (0 * s, 0 * t),
    "zero student": lambda s, t: (0 * s, t),
    "zero teacher": lambda s, t: (s, 0 * t),
    "student is teacher": lambda s, t: (t, t),
    "large": lambda s, t: (1e4 * s, 1e4 * t),
    "tiny": lambda s, t: (1e-15 * s, 1e-15 * t),
}
MASKS = {"some": MASK, "one token": torch.zeros_like(MASK).index_fill_(1, torch.tensor([2]), 1), "none": 0 * MASK}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", BREAKING)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(form: str, how: str, mask: str, dtype: torch.dtype) -> None:
    pairs = [BREAKING[how](s.detach().to(dtype), t.to(dtype)) for s, t in zip(*layers(torch.float32), strict=True)]
    student, teacher = [s.clone().requires_grad_() for s, _ in pairs], [t for _, t in pairs]
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = FORMS[form](student, teacher, MASKS[mask])
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    gradients = torch.autograd.grad(value, student)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    if form == "code" and how in ("zero", "zero student"):
        assert all(not gradient.any() for gradient in gradients)
    if mask == "none":
        assert value == 0
    assert value == FORMS[form]([s.float() for s, _ in pairs], [t.float() for t in teacher], MASKS[mask])
