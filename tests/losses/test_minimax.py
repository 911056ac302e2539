"""Which neighbours are learnt from: plain loops, angles by hand, ties, examples without any neighbour."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from raykd.losses.minimax import allowed_neighbours, angular_distance, hardest, neighbour_kl, selected_kl


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_angles_by_hand() -> None:
    neighbours = torch.tensor([[[3.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-5.0, 0.0], [2.0, 0.0], [0.0, 0.0]]])
    distance = angular_distance(torch.tensor([[2.0, 0.0]]), neighbours)
    torch.testing.assert_close(distance, torch.tensor([[0.0, 0.25, 0.5, 1.0, 0.0, 0.5]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_angles_equal_plain_loops_and_see_no_length(dtype: torch.dtype) -> None:
    original, neighbours = random(4, 8).to(dtype), random(4, 5, 8, seed=1).to(dtype)
    expected = torch.zeros(4, 5, dtype=torch.float64)
    for n in range(4):
        for k in range(5):
            u, v = original[n].double(), neighbours[n, k].double()
            expected[n, k] = math.acos((u @ v / (u.norm() * v.norm())).clamp(-1, 1)) / math.pi
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        distance = angular_distance(original, neighbours)
        longer = angular_distance(4 * original, 0.125 * neighbours)
    assert distance.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(distance.double(), expected, rtol=1e-9 if dtype == torch.float64 else 1e-5, atol=0)
    torch.testing.assert_close(distance, longer)


def test_small_angles_and_duplicates_in_float32() -> None:
    original = random(3, 64).float()
    turned = original + 1e-4 * random(3, 64, seed=1).float()
    # Another layout in memory, in which a norm sums in another order: an equal vector is at 0 all the same.
    neighbours = torch.stack([original, turned], dim=2).transpose(1, 2)
    distance = angular_distance(original, neighbours)
    exact = angular_distance(original.double(), turned.double().unsqueeze(1))
    assert (distance[:, 0] == 0).all()
    torch.testing.assert_close(distance[:, 1:].double(), exact, rtol=5e-3, atol=0)  # an arc cosine: 0 or 1.1e-4


def allowed_loop(distance: Tensor, n: int, candidates: int, minimum: float, maximum: float) -> list[int]:
    kept = []
    for k, angle in enumerate(distance[:n].tolist()):
        if minimum > 0 and angle < minimum:
            continue
        if maximum > 0 and angle > maximum:
            continue
        if minimum <= 0 and angle == 0:
            continue
        kept.append(k)
    if len(kept) > candidates:
        kept = sorted(kept, key=lambda k: distance[k].item())[:candidates]
    return kept + [-1] * (candidates - len(kept))


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 0), (0, 0.4), (0.2, 0), (0.2, 0.4), (0.9, 0.95)])
@pytest.mark.parametrize("candidates", [1, 3, 7, 9])
def test_allowed_neighbours_equal_plain_loops(candidates: int, minimum: float, maximum: float) -> None:
    distance = (random(40, 7).sigmoid() * 10).round() / 20  # many ties, some zeros
    distance[0] = 0
    n_augmented = torch.arange(40) % 8
    expected = [
        allowed_loop(row, int(n), candidates, minimum, maximum) for row, n in zip(distance, n_augmented, strict=True)
    ]
    padded = distance.masked_fill(torch.arange(7) >= n_augmented.unsqueeze(-1), torch.nan)
    for given in (distance, padded):
        assert allowed_neighbours(given, n_augmented, candidates, minimum, maximum).tolist() == expected


def kl_loop(student: Tensor, teacher: Tensor, temperature: float) -> list[Tensor]:
    rows = []
    for s, t in zip(student / temperature, teacher / temperature, strict=True):
        q, p = s.exp() / s.exp().sum(), t.exp() / t.exp().sum()
        rows.append(sum((p[c] * (p[c] / q[c]).log() for c in range(len(p))), torch.zeros(())))
    return rows


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_hardest_equals_plain_loops(temperature: float) -> None:
    student, teacher = random(20, 3), random(20, 3, seed=1)
    student[[4, 9, 15]], teacher[[4, 9, 15]] = student[2].clone(), teacher[2].clone()  # ties
    owner = torch.tensor([3, 0, 1, 3, 1, 0, 5, 3, 1, 1, 0, 5, 3, 3, 0, 1, 0, 3, 1, 0])  # 2, 4 and 6 own none
    divergence = [value.item() for value in kl_loop(student, teacher, temperature)]
    torch.testing.assert_close(neighbour_kl(student, teacher, temperature), torch.tensor(divergence).double())
    expected = []
    for example in range(7):
        rows = [row for row in range(20) if owner[row] == example]
        rows.sort(key=lambda row: (-round(divergence[row], 12), row))
        expected.append((rows + [-1] * 4)[:4])
    ordered = hardest(student, teacher, owner, 4, temperature, owners=7)
    assert ordered.tolist() == expected
    assert ordered[1].tolist().index(2) < 4  # the largest of the tie takes part
    # Fewer of them are the first columns: the k hardest, and those of one rank, are the same table.
    assert hardest(student, teacher, owner.to(torch.int16), 2, temperature, owners=7).tolist() == [
        rows[:2] for rows in expected
    ]


def test_ties_go_to_the_first_row() -> None:
    equal = torch.zeros(6, 2)
    owner = torch.tensor([1, 0, 1, 0, 1, 0])
    assert hardest(equal, equal, owner, 3, 1.0, owners=2).tolist() == [[1, 3, 5], [0, 2, 4]]


def test_order_of_the_rows_does_not_matter() -> None:
    student, teacher, owner = random(30, 4), random(30, 4, seed=1), torch.arange(30) % 4
    shuffled = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    ordered = hardest(student, teacher, owner, 5, 2.0, owners=4)
    again = hardest(student[shuffled], teacher[shuffled], owner[shuffled], 5, 2.0, owners=4)
    assert torch.equal(shuffled[again], ordered)


def test_selected_kl_equals_plain_loops() -> None:
    student, again, teacher = random(6, 3).requires_grad_(), random(6, 3).requires_grad_(), random(6, 3, seed=1)
    teacher.requires_grad_()
    rows = torch.tensor([[4, 1], [3, -1], [-1, -1]])
    value = selected_kl(student, teacher, rows, 2.0)
    losses = kl_loop(again, teacher.detach(), 2.0)
    expected = 4 * (losses[4] + losses[1] + losses[3]) / 3
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, student, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, again)[0])
    assert (gradient[[0, 2, 5]] == 0).all()
    assert torch.autograd.grad(value, teacher, allow_unused=True) == (None,)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_finite(rows: int, autocast: bool) -> None:
    dtype = torch.bfloat16 if autocast else torch.float32
    drawn = random(rows, 3)
    for student, teacher in ((drawn, drawn), (0 * drawn, 0 * drawn), (1e4 * drawn, -1e4 * drawn)):
        leaf, target = student.to(dtype).requires_grad_(), teacher.to(dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            selected = hardest(leaf, target, torch.zeros(rows, dtype=torch.long), 2, 2.0, owners=2)
            value = selected_kl(leaf, target, selected, 2.0)
        assert (selected >= 0).sum() == rows
        assert value.dtype == torch.float32
        value.backward()
        assert leaf.grad is not None
        assert torch.isfinite(value)
        assert torch.isfinite(leaf.grad).all()
        if rows == 0 or torch.equal(student, teacher):
            assert abs(value.item()) < 1e-6
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            assert torch.isfinite(angular_distance(leaf, target.unsqueeze(1).expand(rows, 2, 3))).all()
