"""Born-again networks: the loss by loops, its gradient by hand, the ensembles."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from raykd.losses.generations import born_again, ensemble

LABELS = torch.tensor([2, 0, 1])


def random_logits(generations: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(generations, 3, 4, generator=torch.Generator().manual_seed(0), dtype=dtype)


def probabilities(row: Tensor) -> list[Tensor]:
    exponentials = [value.exp() for value in row]
    return [value / torch.stack(exponentials).sum() for value in exponentials]


def loop(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    total = torch.zeros((), dtype=student.dtype)
    for row, teacher_row, label in zip(student, teacher, labels.tolist(), strict=True):
        q, p = probabilities(row), probabilities(teacher_row)
        for c in range(len(q)):
            total = total - (p[c] + (1 if c == label else 0)) * q[c].log()
    return total / len(student)


def test_equals_plain_loops() -> None:
    teacher, student, _ = random_logits()
    student, again = student.clone().requires_grad_(), student.clone().requires_grad_()
    teacher.requires_grad_()
    value, expected = born_again(student, teacher, LABELS.to(torch.int16)), loop(again, teacher.detach(), LABELS)
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(student.grad, again.grad)
    assert teacher.grad is None


def test_gradient_by_hand() -> None:
    # Of a cross-entropy: softmax minus target. A constant added to a row's logits changes nothing.
    teacher, student, _ = random_logits()
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(born_again(student, teacher, LABELS), student)
    onehot = torch.nn.functional.one_hot(LABELS, 4)
    expected = (2 * student.softmax(dim=-1) - teacher.softmax(dim=-1) - onehot) / 3
    torch.testing.assert_close(gradient, expected.detach())
    torch.testing.assert_close(born_again(student + 5, teacher - 3, LABELS), born_again(student, teacher, LABELS))


def test_missing_labels() -> None:
    teacher, student, _ = random_logits()
    some = torch.tensor([2, -100, 1])
    soft = born_again(student, teacher, torch.full_like(LABELS, -100))
    hard = torch.nn.functional.cross_entropy(student[[0, 2]], LABELS[[0, 2]])
    torch.testing.assert_close(born_again(student, teacher, some), soft + hard)
    targets = teacher.softmax(dim=-1)
    torch.testing.assert_close(soft, torch.nn.functional.cross_entropy(student, targets))


def test_ensembles_by_hand() -> None:
    logits = torch.tensor([[[0.0, math.log(3.0)]], [[math.log(9.0), 0.0]]])
    torch.testing.assert_close(ensemble(logits), torch.tensor([[(0.25 + 0.9) / 2, (0.75 + 0.1) / 2]]))
    torch.testing.assert_close(ensemble(logits, of="logits"), torch.tensor([[math.log(3.0), math.log(3.0) / 2]]))
    members = random_logits(4)
    for of, one in (("probabilities", members[0].softmax(dim=-1)), ("logits", members[0])):
        torch.testing.assert_close(ensemble(members[[3, 1, 0, 2]], of=of), ensemble(members, of=of))  # type: ignore[arg-type]
        torch.testing.assert_close(ensemble(members[:1], of=of), one)  # type: ignore[arg-type]


def test_refusals() -> None:
    logits = random_logits()
    with pytest.raises(ValueError, match="student logits"):
        born_again(logits[0], logits[1, :1], LABELS)
    with pytest.raises(ValueError, match="batch_size"):
        born_again(logits[0], logits[1], LABELS[:1])
    with pytest.raises(ValueError, match="'probabilities' and 'logits'"):
        ensemble(logits, of="votes")  # type: ignore[arg-type]
    for wrong in (logits[0], logits[:0]):
        with pytest.raises(ValueError, match=r"\[G, B, C\]"):
            ensemble(wrong)


@pytest.mark.parametrize("times", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(times: float, equal: bool, batch: int, dtype: torch.dtype) -> None:
    teacher, student, _ = (times * random_logits()[:, :batch]).to(dtype)
    student = (teacher if equal else student).clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = born_again(student, teacher, LABELS[:batch])
        mean = ensemble(torch.stack([student, teacher]))
    assert value.dtype == mean.dtype == torch.float32
    assert torch.isfinite(value)
    assert torch.isfinite(mean).all()
    assert torch.isfinite(torch.autograd.grad(value, student)[0]).all()
    assert value == born_again(student.float(), teacher.float(), LABELS[:batch])
