"""Losses on vocabulary logits: plain loops, hand-computed cases, positions that are not selected."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from raykd.losses.vocabulary import masked_lm, vocabulary_kl, vocabulary_mse

# [B, L]; -100: not to be predicted.
LABELS = torch.tensor([[-100, 3, -100, 6], [0, -100, -100, -100]])
SELECTED = LABELS != -100
WORDS = 7

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def kl_loop(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    positions = (labels != -100).nonzero().tolist()
    total = torch.zeros((), dtype=student.dtype)
    for b, i in positions:
        p, q = (torch.softmax(logits[b, i] / temperature, dim=0) for logits in (teacher, student))
        total = total + (p * (p / q).log()).sum()
    return temperature**2 * total / len(positions)


def mse_loop(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    positions = (labels != -100).nonzero().tolist()
    parts = [(student[b, i, v] - teacher[b, i, v]) ** 2 for b, i in positions for v in range(WORDS)]
    return torch.stack(parts).sum() / len(positions)


def lm_loop(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    positions = (labels != -100).nonzero().tolist()
    parts = [-(student[b, i, labels[b, i]] - student[b, i].exp().sum().log()) for b, i in positions]
    return torch.stack(parts).sum() / len(positions)


# Name -> our loss and the loop, of student, teacher and labels; the soft ones select where there is a label.
LOSSES: dict[str, tuple[Loss, Loss]] = {
    "kl": (lambda s, t, labels: vocabulary_kl(s, t, labels != -100), lambda s, t, y: kl_loop(s, t, y, 1.0)),
    "kl T=2.5": (lambda s, t, labels: vocabulary_kl(s, t, labels != -100, 2.5), lambda s, t, y: kl_loop(s, t, y, 2.5)),
    "mse": (lambda s, t, labels: vocabulary_mse(s, t, labels != -100), mse_loop),
    "lm": (lambda s, t, labels: masked_lm(s, labels), lm_loop),
}


def logits(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (*LABELS.shape, WORDS)
    student, teacher = (torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    return student, teacher


def value_and_gradient(loss: Loss, student: Tensor, teacher: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = student.detach().clone().requires_grad_()
    value = loss(leaf, teacher, labels)
    assert value.shape == ()
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("name", LOSSES)
def test_equals_plain_loops(name: str) -> None:
    ours, loop = LOSSES[name]
    value, gradient = value_and_gradient(ours, *logits(), LABELS)
    expected, expected_gradient = value_and_gradient(loop, *logits(), LABELS)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_by_hand() -> None:
    uniform = torch.zeros(2, 4, WORDS)
    assert masked_lm(uniform, LABELS).item() == pytest.approx(math.log(WORDS))
    assert vocabulary_mse(uniform, uniform + 2, SELECTED).item() == 4 * WORDS  # summed over the vocabulary
    assert vocabulary_kl(uniform, uniform + 2, SELECTED).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_not_selected_is_not_read(name: str) -> None:
    ours, _ = LOSSES[name]
    student, teacher = logits()
    expected, expected_gradient = value_and_gradient(ours, student, teacher, LABELS)
    nowhere = [x.masked_fill(~SELECTED.unsqueeze(-1), torch.nan) for x in (student, teacher)]
    value, gradient = value_and_gradient(ours, nowhere[0], nowhere[1], LABELS)
    assert value == expected
    assert torch.equal(gradient, expected_gradient)
    longer = [pad(x, (0, 0, 0, 3), value=9.0) for x in (student, teacher)]
    value, gradient = value_and_gradient(ours, longer[0], longer[1], pad(LABELS, (0, 3), value=-100))
    assert value == expected
    assert torch.equal(gradient, pad(expected_gradient, (0, 0, 0, 3)))


def test_a_mask_of_integers_selects_positions() -> None:
    student, teacher = logits()
    for loss in (vocabulary_kl, vocabulary_mse):
        assert loss(student, teacher, SELECTED.to(torch.int8)) == loss(student, teacher, SELECTED)
    assert masked_lm(student, LABELS.to(torch.int16)) == masked_lm(student, LABELS)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_on_any_input(name: str, dtype: torch.dtype) -> None:
    ours, _ = LOSSES[name]
    student, teacher = logits(dtype)
    zero = torch.zeros_like(student)
    one = torch.full_like(LABELS, -100)
    one[1, 2] = 4
    none = torch.full_like(LABELS, -100)
    for labels in (LABELS, one, none):
        for s, t in ((student, teacher), (zero, zero), (student, student), (1e4 * student, 1e4 * teacher)):
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                value, gradient = value_and_gradient(ours, s, t, labels)
            assert value.dtype == torch.float32
            assert torch.isfinite(value)
            assert torch.isfinite(gradient).all()
            if labels is none:
                assert value == 0
                assert (gradient == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_computed_in_float32_under_autocast(name: str) -> None:
    ours, _ = LOSSES[name]
    student, teacher = logits(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert ours(student, teacher, LABELS) == ours(student.float(), teacher.float(), LABELS)


@pytest.mark.parametrize("loss", [vocabulary_kl, vocabulary_mse])
def test_the_teacher_is_a_constant_of_the_same_vocabulary(loss: Loss) -> None:
    student, teacher = logits()
    teacher.requires_grad_()
    loss(student.requires_grad_(), teacher, SELECTED).backward()
    assert teacher.grad is None
    with pytest.raises(ValueError, match="one vocabulary"):
        loss(student, teacher[..., :-1], SELECTED)
