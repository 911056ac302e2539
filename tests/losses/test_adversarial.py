"""Losses on invented text: plain loops, what is a constant and what is not, shapes that would broadcast."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.adversarial import (
    Divergence,
    combined_phase_one,
    combined_phase_one_bert,
    divergence,
    generator_loss,
    mate_student,
)

LABELS = torch.tensor([2, 0, 1, 1])
KINDS: tuple[Divergence, ...] = ("cross_entropy", "kl", "mse")

# Of student and teacher logits on clean and invented text, in this order.
STUDENT_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "mate": lambda s, t, s_new, t_new: mate_student(s, t, s_new, t_new, LABELS[: len(s)]),
    "mate regression": lambda s, t, s_new, t_new: mate_student(
        s[:, :1], t[:, :1], s_new[:, :1], t_new[:, :1], LABELS[: len(s)] + 0.5, regression=True
    ),
    "combined": lambda s, t, s_new, t_new: combined_phase_one(s, t, s_new, t_new, 0.4),
    "bert": lambda s, t, s_new, t_new: combined_phase_one_bert(s, t, LABELS[: len(s)], 0.4),
}
OF_GENERATOR: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "cross_entropy": lambda s, t, s_new, t_new: generator_loss(s_new, t_new),
    "kl": lambda s, t, s_new, t_new: generator_loss(s_new, t_new, "kl"),
    "mse": lambda s, t, s_new, t_new: generator_loss(s_new, t_new, "mse"),
}


def logits(seed: int, rows: int = 4) -> Tensor:
    drawn = torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * drawn).requires_grad_()


def four(rows: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return logits(0, rows), logits(1, rows), logits(2, rows), logits(3, rows)


def loop(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    total = torch.zeros((), dtype=student.dtype)
    for s, t in zip(student, teacher, strict=True):
        q, p = s.exp() / s.exp().sum(), t.exp() / t.exp().sum()
        for c in range(len(s)):
            if kind == "mse":
                total = total + (s[c] - t[c]) ** 2 / len(s)
            else:
                total = total + (-p[c] * q[c].log() if kind == "cross_entropy" else p[c] * (p[c] / q[c]).log())
    return total / len(student)


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_equals_plain_loops_with_gradient_on_both_sides(kind: Divergence) -> None:
    student, teacher = logits(0), logits(1)
    value, expected = divergence(student, teacher, kind), loop(student, teacher, kind)
    torch.testing.assert_close(value, expected)
    gradients = torch.autograd.grad(value, [student, teacher])
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, [student, teacher]))
    assert all(gradient.abs().max() > 0.01 for gradient in gradients)
    assert generator_loss(student, teacher, kind) == -value


def test_entropy_matters_to_the_generator_only() -> None:
    student, teacher = logits(0), logits(1)
    of_cross, of_kl = (
        torch.autograd.grad(divergence(student, teacher, kind), [student, teacher]) for kind in ("cross_entropy", "kl")
    )
    torch.testing.assert_close(of_cross[0], of_kl[0])
    assert (of_cross[1] - of_kl[1]).abs().max() > 0.01
    assert divergence(student, student, "kl").item() == 0


def test_losses_of_the_student_are_the_parts_they_are_made_of() -> None:
    s_clean, t_clean, s_new, t_new = four()
    hard = torch.stack([-(row - row.exp().sum().log())[label] for row, label in zip(s_clean, LABELS, strict=True)])
    parts = hard.mean(), loop(s_new, t_new, "cross_entropy"), loop(s_clean, t_clean, "cross_entropy")
    expected: dict[str, Tensor] = {
        "mate": (parts[0] + parts[1] + parts[2]) / 3,
        "combined": (loop(s_new, 0.4 * t_new, "mse") + loop(s_clean, 0.4 * t_clean, "mse")) / 2,
        "bert": (hard.mean() + loop(s_clean, 0.4 * t_clean, "mse")) / 2,
    }
    for name, value in expected.items():
        ours = STUDENT_LOSSES[name](s_clean, t_clean, s_new, t_new)
        torch.testing.assert_close(ours, value)
        of_ours, of_loops = (torch.autograd.grad(loss, s_clean, retain_graph=True) for loss in (ours, value))
        torch.testing.assert_close(of_ours, of_loops)


def test_regression_by_hand() -> None:
    s_clean, t_clean = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])
    s_new, t_new = torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [3.0]])
    labels = torch.tensor([1.0, 5.0])
    # Labels (0 + 9) / 2, invented (1 + 9) / 2, clean (1 + 4) / 2.
    assert mate_student(s_clean, t_clean, s_new, t_new, labels, regression=True).item() == pytest.approx(12 / 3)
    # Clean targets are 1 and 2: nothing is left but the labels.
    value = combined_phase_one_bert(s_clean, t_clean, labels, 0.5, regression=True)
    assert value.item() == pytest.approx(4.5 / 2)


@pytest.mark.parametrize("student", [(3, 1), (3,)])
@pytest.mark.parametrize("teacher", [(3, 1), (3,)])
def test_mse_compares_sample_by_sample(student: tuple[int, ...], teacher: tuple[int, ...]) -> None:
    values = torch.tensor([1.0, 2.0, 4.0])
    s, t = values.reshape(student), values.reshape(teacher)
    assert divergence(s, t, "mse") == 0
    assert combined_phase_one(s, t, s, t, 1.0) == 0


def test_refuses_what_does_not_belong_together() -> None:
    for kind in KINDS:
        with pytest.raises(ValueError, match="student logits"):
            divergence(torch.zeros(3, 2), torch.zeros(3, 1), kind)
    with pytest.raises(ValueError, match="student logits"):
        combined_phase_one(torch.zeros(4, 1), torch.zeros(1), torch.zeros(4, 1), torch.zeros(4, 1), 0.5)
    with pytest.raises(ValueError, match="cross_entropy"):
        divergence(torch.zeros(3, 2), torch.zeros(3, 2), "js")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", STUDENT_LOSSES)
def test_the_teacher_is_a_constant_to_the_student(name: str) -> None:
    texts = four()
    STUDENT_LOSSES[name](*texts).backward()
    assert texts[0].grad is not None
    assert texts[1].grad is None
    assert texts[3].grad is None


@pytest.mark.parametrize("name", [*STUDENT_LOSSES, *OF_GENERATOR])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("rows", [1, 2])
def test_finite_and_in_float32(name: str, rows: int, autocast: bool) -> None:
    dtype = torch.bfloat16 if autocast else torch.float32
    ours = {**STUDENT_LOSSES, **OF_GENERATOR}[name]
    random = [given.detach().to(dtype) for given in four(rows)]
    cases = {
        "random": random,
        "equal": [random[0]] * 4,
        "zero": [0 * given for given in random],
        "large": [1e4 * given for given in random],
    }
    for case, texts in cases.items():
        s, t, s_new, t_new = (given.clone().requires_grad_() for given in texts)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            value = ours(s, t, s_new, t_new)
        assert value.dtype == torch.float32
        value.backward()
        assert torch.isfinite(value), case
        gradients = [given.grad for given in (s, t, s_new, t_new) if given.grad is not None]
        assert gradients, case
        assert all(torch.isfinite(gradient).all() for gradient in gradients), case
