"""Which rows make which batch: shuffled, of similar length, and a function of (seed, epoch) alone.

A plan that depends on nothing but its arguments is what makes a resumed run, and every worker of a group, see the
same batches without any state being saved or sent.
"""

from __future__ import annotations

import numpy as np

POOL = 32  # batches sorted by length together: enough to pad little, few enough to stay shuffled


def plan_epoch(lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Batches of row numbers for one epoch.

    lengths: [N] tokens a row. Rows are shuffled, pools of 32 batches are sorted by length and cut into batches, and
    the batches are shuffled again. The last batch may be smaller.
    """
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches in order of length, for evaluation, where order has no effect on the result."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def share(rows: np.ndarray, rank: int, size: int) -> np.ndarray:
    """The rows of a batch that worker `rank` of `size` takes: equal shares, so that gradients average rightly.

    Up to size - 1 rows of a batch that does not divide are left out; a batch smaller than the group is repeated.
    """
    if len(rows) < size:
        rows = np.resize(rows, size)
    return rows[: len(rows) - len(rows) % size][rank::size]


def micro_batches(rows: np.ndarray, parts: int) -> list[np.ndarray]:
    """`rows` in at most `parts` pieces of nearly equal size, none of them empty."""
    return [piece for piece in np.array_split(rows, parts) if len(piece)]
