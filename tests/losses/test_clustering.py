"""How the teacher's memory is made: against plain loops, whatever the batches, and with clusters that lose members."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.clustering import draw_rows, kmeans, published_memory, published_spread


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batched(rows: Tensor, size: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: rows.split(size)


def nearest(x: Tensor, centroids: Tensor) -> int:
    return int(torch.stack([(x - c).norm() for c in centroids]).argmin())


@pytest.mark.parametrize("size", [1, 3, 10, 64])
@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_published_procedure_by_loops(size: int, epochs: int) -> None:
    rows, start = random(10, 4), random(3, 4, seed=1)
    start[2] += 100  # without members: 0 after the first move
    centroids, chosen, expected = start.clone(), [0] * 10, {}
    for epoch in range(1, epochs):
        if epoch % 2:
            chosen = [nearest(x, centroids) for x in rows]
            expected[epoch] = chosen
            continue
        if epoch == 2:
            centroids = torch.zeros_like(start)
        for number, x in enumerate(rows):
            first = number - number % size
            before = chosen[first:number].count(chosen[number])
            centroids[chosen[number]] = ((before + 1) * centroids[chosen[number]] + x) / (before + 2)
    memory = published_memory(batched(rows, size), start, epochs)
    torch.testing.assert_close(memory.centroids, centroids)
    assert {epoch: found.tolist() for epoch, found in memory.assignments.items()} == expected
    if epochs in (3, 4):  # later it may win some
        assert not memory.centroids[2].any()


def test_published_spread_by_hand() -> None:
    # Two batches; the last one is (1, 3), (0, 4): mean 2, variances 2 and 8.
    assert published_spread([torch.zeros(3, 2), torch.tensor([[1.0, 3.0], [0.0, 4.0]])]) == pytest.approx((1, 2.5**0.5))
    with pytest.raises(ValueError, match="no batch"):
        published_spread([])


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize("tolerance", [1e-4, 2.0])
def test_kmeans_by_loops(size: int, tolerance: float) -> None:
    rows = random(50, 3)
    centroids, passes, shift = rows[[3, 8, 20, 41]].clone(), 0, float("inf")
    while shift**2 >= tolerance:
        chosen = [nearest(x, centroids) for x in rows]
        moved = [torch.stack([x for x, c in zip(rows, chosen, strict=True) if c == m]).mean(dim=0) for m in range(4)]
        shift = sum((new - old).norm().item() for new, old in zip(moved, centroids, strict=True))
        centroids, passes = torch.stack(moved), passes + 1
    memory = kmeans(batched(rows, size), rows[[3, 8, 20, 41]], epochs=100, tolerance=tolerance)
    torch.testing.assert_close(memory.centroids, centroids)
    assert {number: found.tolist() for number, found in memory.assignments.items()} == {passes: chosen}
    assert passes >= 2

    one = kmeans(batched(rows, size), rows[[3, 8, 20, 41]], epochs=1, tolerance=0.0)
    assert list(one.assignments) == [1]


@pytest.mark.parametrize("size", [1, 7, 80])
def test_empty_clusters_are_filled(size: int) -> None:
    rows = random(80, 2)
    # Every example is nearest to the first of five centroids: the other four are empty after the first pass.
    start = torch.tensor([[9.0, 9.0], [99.0, 99.0], [999.0, 9.0], [9.0, 999.0], [9999.0, 0.0]], dtype=torch.float64)
    first = kmeans(batched(rows, size), start, epochs=1, tolerance=0.0)
    assert not first.assignments[1].any()
    farthest = rows[(rows - start[0]).norm(dim=-1).argsort(descending=True)[:4]]
    torch.testing.assert_close(first.centroids, torch.cat([rows.mean(dim=0, keepdim=True), farthest]))

    (chosen,) = kmeans(batched(rows, size), start, epochs=50, tolerance=1e-9).assignments.values()
    assert torch.bincount(chosen, minlength=5).min() > 0


def test_an_empty_cluster_that_nothing_can_fill_stays() -> None:
    rows = torch.ones(6, 2)
    start = torch.tensor([[1.0, 1.0], [3.0, 3.0], [4.0, 4.0]])
    memory = kmeans(batched(rows, 4), start, epochs=9, tolerance=1e-4)
    assert torch.equal(memory.centroids, start)
    assert list(memory.assignments) == [1]


@pytest.mark.parametrize("equal", [5, 9, 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_of_equal_centroids_is_the_nearest(equal: int, dtype: torch.dtype) -> None:
    # The published procedure leaves many at 0; a matrix product sums its last columns in another order.
    rows = random(20, 7).to(dtype)
    start = torch.cat([rows[:2] - 99, torch.zeros(equal, 7, dtype=dtype), rows[:2] + 99])
    for size in (1, 3, 20):
        assert (published_memory(batched(rows, size), start, 2).assignments[1] == 2).all()


@pytest.mark.parametrize("kind", ["published", "kmeans"])
def test_what_it_is_given_stays_as_it_is(kind: str) -> None:
    rows = random(9, 4)
    start = rows[:3].clone()
    given, kept = start.clone(), rows.clone()
    for _ in range(2):
        if kind == "published":
            published_memory(batched(rows, 2), start, 5)
        else:
            kmeans(batched(rows, 2), start, 5, 0.0)
        assert torch.equal(start, given)
        assert torch.equal(rows, kept)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_precision(dtype: torch.dtype) -> None:
    # Many examples, a large mean: sums would lose the digits; under autocast too.
    rows = (random(20000, 3) + torch.tensor([1000.0, 0.0, 0.0])).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        memory = kmeans(batched(rows, 512), rows[:1], epochs=2, tolerance=0.0)
    assert memory.centroids.dtype == torch.float32
    torch.testing.assert_close(memory.centroids.double()[0], rows.double().mean(dim=0), rtol=1e-6, atol=1e-5)


def test_draw_rows() -> None:
    rows = torch.arange(40.0).reshape(20, 2)
    counts = torch.zeros(20)
    for seed in range(400):
        drawn = draw_rows(rows.split(3), 5, torch.Generator().manual_seed(seed))
        numbers = (drawn[:, 0] / 2).long()
        assert len(set(numbers.tolist())) == 5
        assert torch.equal(drawn, rows[numbers])
        counts[numbers] += 1
    assert counts.min() > 60  # 100 of each expected, standard deviation 9
    assert counts.max() < 140
    with pytest.raises(ValueError, match="21 centroids wanted of 20"):
        draw_rows(rows.split(3), 21, torch.Generator())
    with pytest.raises(ValueError, match="of 0 examples"):
        draw_rows([], 1, torch.Generator())
