"""FSD's measurements of relations: by hand, by loops, and without padding."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from torch import Tensor

from raykd.report.relation_difference import Difference, relation_difference


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def naive(teacher: list[tuple[Tensor, Tensor]], student: list[tuple[Tensor, Tensor]], what: str) -> list[float]:
    """The five numbers of pairs of vectors."""

    def of(pair: tuple[Tensor, Tensor]) -> float:
        x, y = pair
        return ((x - y).norm() if what == "dist" else x @ y / (x.norm() * y.norm())).item()

    theirs, ours = [of(pair) for pair in teacher], [of(pair) for pair in student]
    numbers = [statistics.mean(abs(t - s) for t, s in zip(theirs, ours, strict=True))]
    for values in (theirs, ours):
        sizes = [abs(value) for value in values]
        numbers += [statistics.mean(sizes), statistics.stdev(sizes)]
    return numbers


@pytest.mark.parametrize("masked", [False, True])
def test_against_loops(masked: bool) -> None:
    student, teacher = random(3, 4, 5), random(3, 4, 2, seed=1)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]) if masked else torch.ones(3, 4)
    lengths = mask.sum(dim=-1).long().tolist()
    found = relation_difference(student, teacher, mask if masked else None)
    for what, inter, intra in (
        ("dist", found.inter_dist, found.intra_dist),
        ("cos", found.inter_cos, found.intra_cos),
    ):
        inside: list[list[tuple[Tensor, Tensor]]] = []
        between: list[list[tuple[Tensor, Tensor]]] = []
        for hidden in (teacher, student):
            rows = [(x * mask[b, :, None]).flatten() for b, x in enumerate(hidden)]
            between.append([(x, y) for x in rows for y in rows])
            tokens = [x[: lengths[b]] for b, x in enumerate(hidden)]
            inside.append([(x, y) for sample in tokens for x in sample for y in sample])
        assert inter.values() == pytest.approx(naive(between[0], between[1], what), rel=1e-9)
        assert intra.values() == pytest.approx(naive(inside[0], inside[1], what), rel=1e-9)


def test_by_hand() -> None:
    student = torch.tensor([[[3.0], [0.0]]])  # one sample of two tokens, 3 apart
    teacher = torch.tensor([[[1.0], [-1.0]]])
    found = relation_difference(student, teacher)
    assert found.inter_dist == Difference(0, 0, 0, 0, 0)
    assert found.inter_cos.values() == pytest.approx([0, 1, 0, 1, 0], abs=1e-6)
    # Distances 0, 2, 2, 0 and 0, 3, 3, 0.
    assert found.intra_dist.values() == pytest.approx([0.5, 1, math.sqrt(4 / 3), 1.5, math.sqrt(3)])
    # Cosines 1, -1, -1, 1 and 1, 0, 0, 0 (a zero vector has none).
    assert found.intra_cos.values() == pytest.approx([0.75, 1, 0, 0.25, 0.5], abs=1e-6)


def test_padding_is_not_read() -> None:
    student, teacher, mask = random(2, 3, 4), random(2, 3, 4, seed=1), torch.tensor([[1, 1, 0], [1, 1, 1]])
    expected = relation_difference(student, teacher, mask)
    student[0, 2] = teacher[0, 2] = torch.nan
    assert relation_difference(student, teacher, mask) == expected
    longer = [torch.nn.functional.pad(states, (0, 0, 0, 5), value=torch.nan) for states in (student, teacher)]
    found = relation_difference(longer[0], longer[1], torch.nn.functional.pad(mask, (0, 5)))
    for name, difference in vars(found).items():
        assert difference.values() == pytest.approx(vars(expected)[name].values())


def test_half_precision_is_widened() -> None:
    student, teacher = random(4, 6, 8).bfloat16(), random(4, 6, 8, seed=1).bfloat16()
    expected = relation_difference(student.double(), teacher.double())
    found = relation_difference(student.requires_grad_(), teacher)
    assert found.intra_cos.values() == pytest.approx(expected.intra_cos.values(), rel=1e-4)
    assert relation_difference(teacher, teacher).inter_dist.difference == 0
