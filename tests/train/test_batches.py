"""Plans of an epoch, and what of a batch each worker and each micro-batch takes."""

from __future__ import annotations

import numpy as np
import pytest

from raykd.train.batches import by_length, micro_batches, plan_epoch, share

LENGTHS = np.random.default_rng(0).integers(3, 100, size=1_003)


def padding(batches: list[np.ndarray]) -> float:
    """Cells of padding for each token."""
    cells = sum(len(rows) * int(LENGTHS[rows].max()) for rows in batches)
    return (cells - LENGTHS.sum()) / LENGTHS.sum()


@pytest.mark.parametrize("size", [1, 8, 32, 1_003, 5_000])
def test_every_row_comes_once_an_epoch(size: int) -> None:
    for batches in (plan_epoch(LENGTHS, size, seed=1, epoch=0), by_length(LENGTHS, size)):
        assert sorted(np.concatenate(batches).tolist()) == list(range(1_003))
        assert len(batches) == -(-1_003 // size)


def test_the_last_small_batch_is_kept() -> None:
    sizes = sorted(len(rows) for rows in plan_epoch(LENGTHS, 32, seed=1, epoch=0))
    assert sizes == [1_003 % 32] + [32] * 31


def test_a_plan_is_a_function_of_seed_and_epoch() -> None:
    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [rows.tolist() for rows in plan_epoch(LENGTHS, 32, seed=seed, epoch=epoch)]

    first = plan(1, 0)
    np.random.default_rng(9).random(5)
    assert plan(1, 0) == first
    others = [plan(1, 1), plan(2, 0), plan(0, 1)]
    assert all(other != first for other in others)
    assert others[0] != others[1]


def test_similar_lengths_come_together_and_stay_shuffled() -> None:
    batches = plan_epoch(LENGTHS, 8, seed=1, epoch=0)
    shuffled = np.array_split(np.random.default_rng(1).permutation(1_003), 126)
    assert padding(shuffled) > 0.5
    assert padding(batches) < 0.1
    assert padding(by_length(LENGTHS, 8)) < 0.02
    # No course from short to long over the epoch: means of the two halves are alike.
    means = [LENGTHS[rows].mean() for rows in batches]
    assert abs(np.mean(means[:63]) - np.mean(means[63:])) < 10


@pytest.mark.parametrize("size", [2, 3, 4])
def test_shares_are_disjoint_and_together_the_batch(size: int) -> None:
    rows = np.arange(100, 124)
    shares = [share(rows, rank, size) for rank in range(size)]
    assert sorted(np.concatenate(shares).tolist()) == rows.tolist()
    assert {len(one) for one in shares} == {24 // size}
    assert share(rows, 0, 1).tolist() == rows.tolist()


def test_shares_are_equal_where_a_batch_does_not_divide() -> None:
    shares = [share(np.arange(11), rank, 4) for rank in range(4)]
    assert [len(one) for one in shares] == [2, 2, 2, 2]
    assert len(np.unique(np.concatenate(shares))) == 8


def test_a_batch_smaller_than_the_group_is_repeated() -> None:
    assert [share(np.array([7, 9]), rank, 5).tolist() for rank in range(5)] == [[7], [9], [7], [9], [7]]


def test_micro_batches_are_nearly_equal_and_never_empty() -> None:
    rows = np.arange(10)
    assert [len(piece) for piece in micro_batches(rows, 4)] == [3, 3, 2, 2]
    assert np.concatenate(micro_batches(rows, 4)).tolist() == rows.tolist()
    assert [len(piece) for piece in micro_batches(np.arange(2), 4)] == [1, 1]
