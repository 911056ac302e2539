"""RKD's distance and angle and DarkRank's ranking: plain loops, what must not change them, awkward batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from raykd.losses.rkd import dark_rank, rkd_angle, rkd_distance

from .compare import assert_equal_losses, assert_finite, awkward_batches, normal, value_and_gradient

Relation = Callable[[Tensor, Tensor], Tensor]
LOSSES = (rkd_distance, rkd_angle, dark_rank)


def smooth(x: Tensor) -> Tensor:
    return 0.5 * x**2 if abs(x.item()) < 1 else x.abs() - 0.5


def loop_distance(student: Tensor, teacher: Tensor) -> Tensor:
    pairs = [(i, j) for i in range(len(student)) for j in range(len(student)) if i != j]

    def relative(points: Tensor) -> list[Tensor]:
        distances = [(points[i] - points[j]).norm() for i, j in pairs]
        return [distance / torch.stack(distances).mean() for distance in distances]

    terms = [smooth(s - t) for s, t in zip(relative(student), relative(teacher), strict=True)]
    return torch.stack(terms).sum() / len(student) ** 2


def loop_angle(student: Tensor, teacher: Tensor) -> Tensor:
    def cosine(points: Tensor, i: int, j: int, k: int) -> Tensor:
        if i in (j, k):
            return points.new_zeros(())
        arms = points[j] - points[i], points[k] - points[i]
        return arms[0] @ arms[1] / (arms[0].norm() * arms[1].norm())

    every = range(len(student))
    triples = [(i, j, k) for i in every for j in every for k in every]
    return torch.stack([smooth(cosine(student, *t) - cosine(teacher, *t)) for t in triples]).mean()


def loop_dark_rank(student: Tensor, teacher: Tensor, alpha: float, beta: float, permute_len: int) -> Tensor:
    losses = []
    for i in range(len(student)):
        others = [j for j in range(len(student)) if j != i]
        ranking = sorted(others, key=lambda j: (teacher[i] - teacher[j]).norm().item())[:permute_len]
        weights = [(-alpha * (student[i] - student[j]).norm() ** beta).exp() for j in ranking]
        for place in range(len(weights)):
            losses.append(-(weights[place] / torch.stack(weights[place:]).sum()).log())
    return torch.stack(losses).sum() / len(student)


@pytest.mark.parametrize(("ours", "loops"), [(rkd_distance, loop_distance), (rkd_angle, loop_angle)])
def test_equals_plain_loops(ours: Relation, loops: Relation) -> None:
    teacher = normal(5, 7, seed=1)
    assert_equal_losses(lambda s: ours(s, teacher), lambda s: loops(s, teacher), normal(5, 4))
    # A distance far above the mean meets the straight part of smooth-L1.
    far = normal(5, 4)
    far[0] *= 50
    assert_equal_losses(lambda s: ours(s, teacher), lambda s: loops(s, teacher), far)


@pytest.mark.parametrize(("alpha", "beta", "permute_len"), [(2.0, 3.0, 4), (0.5, 1.0, 2), (1.5, 2.5, 9), (1.0, 2.0, 1)])
def test_dark_rank_equals_plain_loops(alpha: float, beta: float, permute_len: int) -> None:
    teacher, how = normal(6, 7, seed=1), {"alpha": alpha, "beta": beta}
    student = 0.4 * normal(6, 4)
    if permute_len == 1:  # one sample has but one order
        assert value_and_gradient(lambda s: dark_rank(s, teacher, permute_len=1, **how), student)[0] == 0
        return
    assert_equal_losses(
        lambda s: dark_rank(s, teacher, permute_len=permute_len, **how),
        lambda s: loop_dark_rank(s, teacher, permute_len=permute_len, **how),
        student,
    )


def test_values_worked_out_by_hand() -> None:
    # Student: legs 3 and 4 of a right angle; teacher: three samples on a line, 1 apart.
    student = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    teacher = torch.tensor([[0.0], [1.0], [2.0]])
    relative = [(3 / 4 - 3 / 4) ** 2, (4 / 4 - 6 / 4) ** 2, (5 / 4 - 3 / 4) ** 2]
    assert rkd_distance(student, teacher).item() == pytest.approx(2 * sum(relative) / 2 / 9)
    # Cosines 0, 3/5, 4/5 against 1, -1, 1: twice each in 27 triples.
    angles = [1 - 0.5, 1.6 - 0.5, 0.2**2 / 2]
    assert rkd_angle(student, teacher).item() == pytest.approx(2 * sum(angles) / 27)
    # Sample 0 ranks 1 (d = 3) before 2 (d = 4), 2 ranks 1 (5) before 0 (4), 1 ranks 0 (3) before 2 (5).
    steps = [3 - 4, 3 - 5, 5 - 4]
    expected = sum(math.log1p(math.exp(step)) for step in steps) / 3
    assert dark_rank(student, teacher, alpha=1.0, beta=1.0).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_ignores_place_rotation_and_order(loss: Relation) -> None:
    student, teacher = 0.5 * normal(6, 5), normal(6, 7, seed=1)
    expected = loss(student, teacher)
    rotation = torch.linalg.qr(normal(5, 5, seed=2)).Q
    torch.testing.assert_close(loss(student @ rotation + 30, teacher), expected)
    order = [3, 1, 5, 0, 2, 4]
    torch.testing.assert_close(loss(student[order], teacher[order]), expected)
    scaled = loss(9 * student, teacher)
    if loss is dark_rank:  # its distances are not normalised
        assert not torch.isclose(scaled, expected)
    else:
        torch.testing.assert_close(scaled, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss", LOSSES)
def test_finite(loss: Relation, dtype: torch.dtype) -> None:
    for kind, (student, teacher) in awkward_batches(dtype).items():
        value = assert_finite(loss, student, teacher)
        assert value >= 0, kind
        if kind == "one sample" or (kind == "student is the teacher" and loss is not dark_rank):
            assert value == 0, kind


@pytest.mark.parametrize("loss", LOSSES)
def test_teacher_is_a_constant(loss: Relation) -> None:
    teacher = normal(4, 3, seed=1).requires_grad_()
    loss(normal(4, 3).requires_grad_(), teacher).backward()
    assert teacher.grad is None


@pytest.mark.parametrize(
    ("dtype", "of_value", "of_gradient"),
    [(torch.float64, 1e-9, 1e-8), (torch.float32, 1e-5, 1e-4)],
)
@pytest.mark.parametrize("letter", ["A", "B"])
@pytest.mark.parametrize("loss", [rkd_distance, rkd_angle])
def test_flattened_features(
    shared: Path, loss: Relation, letter: str, dtype: torch.dtype, of_value: float, of_gradient: float
) -> None:
    folder = shared / "golden" / "fsd"
    with np.load(folder / f"{loss.__name__}__{letter}.npz") as case, np.load(folder / f"inputs_{letter}.npz") as inputs:
        student, teacher = (torch.from_numpy(inputs[f"{whose}_penult"]).to(dtype) for whose in "st")
        value, gradient = value_and_gradient(lambda s: loss(s.flatten(1), teacher.flatten(1)), student)
        assert value.item() == pytest.approx(case["loss"].item(), rel=of_value)
        theirs = torch.from_numpy(case["grad_s_penult"])
        assert (gradient.double() - theirs).abs().max() <= of_gradient * theirs.abs().max()
