"""CC, SP, PKT and torchdistill's forms: plain loops, what must not change them, awkward batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from raykd.losses.samples import cc, cckd_bilinear, cckd_gaussian, pkt, sp

from .compare import assert_equal_losses, assert_finite, awkward_batches, normal

Relation = Callable[[Tensor, Tensor], Tensor]


def rows(points: Tensor) -> list[list[Tensor]]:
    return [[a @ b for b in points] for a in points]


def loop_cc(student: Tensor, teacher: Tensor) -> Tensor:
    terms = []
    for b in range(len(student) - 1):
        for d in range(student.shape[1]):
            terms.append((student[b, d] - teacher[b, d]).abs() * (student[b + 1, d] - teacher[b + 1, d]).abs())
    return torch.stack(terms).sum() / (len(student) - 1)


def loop_sp(student: Tensor, teacher: Tensor, order: int) -> Tensor:
    total = torch.zeros((), dtype=student.dtype)
    for row, teacher_row in zip(rows(student), rows(teacher), strict=True):
        norm, teacher_norm = (sum(abs(x) ** order for x in r) ** (1 / order) for r in (row, teacher_row))
        for s, t in zip(row, teacher_row, strict=True):
            total = total + (s / norm - t / teacher_norm) ** 2
    return total / len(student) ** 2


def loop_pkt(student: Tensor, teacher: Tensor) -> Tensor:
    def neighbours(points: Tensor) -> list[list[Tensor]]:
        result = []
        for a in points:
            row = [(1 + a @ b / ((a.norm() + 1e-7) * (b.norm() + 1e-7))) / 2 for b in points]
            result.append([x / sum(row) for x in row])
        return result

    total = torch.zeros((), dtype=student.dtype)
    for row, teacher_row in zip(neighbours(student), neighbours(teacher), strict=True):
        for s, t in zip(row, teacher_row, strict=True):
            total = total + t * ((t + 1e-7) / (s + 1e-7)).log()
    return total / len(student) ** 2


def loop_cckd(student: Tensor, teacher: Tensor, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    total = torch.zeros((), dtype=student.dtype)
    for row, teacher_row in zip(rows(student), rows(teacher), strict=True):
        for s, t in zip(row, teacher_row, strict=True):
            total = total + (kernel(s) - kernel(t)) ** 2
    return total**0.5 / len(student) ** 2


def gaussian(x: Tensor, gamma: float, max_p: int) -> Tensor:
    terms = [torch.as_tensor((2 * gamma) ** p / math.factorial(p) * x**p) for p in range(max_p + 1)]
    return math.exp(-2 * gamma) * torch.stack(terms).sum()


LOSSES: dict[str, tuple[Relation, Relation]] = {
    "cc": (cc, loop_cc),
    "sp l2": (sp, partial(loop_sp, order=2)),
    "sp l1": (partial(sp, norm="l1"), partial(loop_sp, order=1)),
    "pkt": (pkt, loop_pkt),
    "cckd gaussian": (cckd_gaussian, partial(loop_cckd, kernel=partial(gaussian, gamma=0.4, max_p=2))),
    "cckd gaussian 3": (
        partial(cckd_gaussian, gamma=0.7, max_p=3),
        partial(loop_cckd, kernel=partial(gaussian, gamma=0.7, max_p=3)),
    ),
    "cckd bilinear": (cckd_bilinear, partial(loop_cckd, kernel=lambda x: x)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_equals_plain_loops(name: str) -> None:
    ours, loops = LOSSES[name]
    teacher = normal(5, 4 if name == "cc" else 7, seed=1)
    assert_equal_losses(lambda s: ours(s, teacher), lambda s: loops(s, teacher), normal(5, 4))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cc"])
def test_ignores_rotation_and_order(name: str) -> None:
    ours, _ = LOSSES[name]
    student, teacher = normal(6, 5), normal(6, 7, seed=1)
    expected = ours(student, teacher)
    rotation = torch.linalg.qr(normal(5, 5, seed=2)).Q
    torch.testing.assert_close(ours(student @ rotation, teacher), expected)
    order = [3, 1, 5, 0, 2, 4]
    torch.testing.assert_close(ours(student[order], teacher[order]), expected)
    if name.startswith(("sp", "pkt")):
        torch.testing.assert_close(ours(student, 9 * teacher), expected)


def test_values_worked_out_by_hand() -> None:
    student, teacher = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), torch.zeros(3, 2)
    assert cc(student, teacher).item() == pytest.approx((0 + 2) / 2)
    orthogonal, equal = torch.tensor([[2.0, 0.0], [0.0, 5.0]]), torch.tensor([[3.0], [3.0]])
    # Rows (1, 0), (0, 1) against (r, r) twice, r = 1 / sqrt 2 or 1 / 2.
    assert sp(orthogonal, equal).item() == pytest.approx(((1 - 0.5**0.5) ** 2 + 0.5) / 2)
    assert sp(orthogonal, equal, norm="l1").item() == pytest.approx(0.25)
    # p = (2/3, 1/3) against (1/2, 1/2), twice.
    expected = 0.5 * (math.log(0.5 / (2 / 3)) + math.log(0.5 / (1 / 3))) / 2
    assert pkt(orthogonal, equal).item() == pytest.approx(expected, rel=1e-5)
    assert cckd_bilinear(orthogonal, equal).item() == pytest.approx((25 + 256 + 2 * 81) ** 0.5 / 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_finite(name: str, dtype: torch.dtype) -> None:
    ours, _ = LOSSES[name]
    for kind, (student, teacher) in awkward_batches(dtype).items():
        value = assert_finite(ours, student, teacher)
        assert value >= -1e-6, kind
        if kind == "student is the teacher" or (kind == "one sample" and not name.startswith("cckd")):
            assert value.item() == pytest.approx(0, abs=1e-6), kind


@pytest.mark.parametrize("name", LOSSES)
def test_teacher_is_a_constant(name: str) -> None:
    teacher = normal(4, 3, seed=1).requires_grad_()
    LOSSES[name][0](normal(4, 3).requires_grad_(), teacher).backward()
    assert teacher.grad is None


def test_refuses_other_widths_and_norms() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\), teacher \(4, 1\)"):
        cc(normal(4, 3), normal(4, 1))
    with pytest.raises(ValueError, match="'l1' and 'l2'"):
        sp(normal(4, 3), normal(4, 3), norm="l3")  # type: ignore[arg-type]
