"""Some rows of a split, drawn evenly: every class in proportion, the same rows each time."""

from __future__ import annotations

from random import Random

from raykd.tasks.data import Split
from raykd.tasks.task import Task


def sample_rows(split: Split, task: Task, n: int | None, seed: int = 0) -> Split:
    """Rows of a split in proportion to its classes, in the order of the file.

    Args:
        split: the rows to draw from.
        task: says whether labels are classes; scores and spans are drawn at random from all rows.
        n: how many rows; None, or more than there are: all.
        seed: of the draw. It is no run's seed: two runs of different seeds learn from the same rows.

    Returns:
        `n` rows. A class of c of the N rows has n * c / N of them, rounded so that they add up; where n allows, every
        class has one at least.
    """
    if n is None or n >= len(split):
        return split
    chance = Random(f"raykd rows {seed}")
    if task.kind != "classes":
        return split.take(sorted(chance.sample(range(len(split)), n)))
    groups: dict[int | float, list[int]] = {}
    for row, label in enumerate(split.labels):
        groups.setdefault(label, []).append(row)
    sizes = _shares({label: len(rows) for label, rows in groups.items()}, n)
    return split.take(
        sorted(row for label, rows in sorted(groups.items()) for row in chance.sample(rows, sizes[label]))
    )


def _shares(counts: dict[int | float, int], n: int) -> dict[int | float, int]:
    """`n` divided in proportion to `counts`: what is left after rounding down goes to those who lack most."""
    total = sum(counts.values())
    least = int(n >= len(counts))
    shares = {label: max(least, n * count // total) for label, count in counts.items()}

    def lacks(label: int | float) -> tuple[int, float]:
        return n * counts[label] - shares[label] * total, -label

    while sum(shares.values()) < n:
        shares[max((label for label in counts if shares[label] < counts[label]), key=lacks)] += 1
    while sum(shares.values()) > n:
        shares[min((label for label in counts if shares[label] > least), key=lacks)] -= 1
    return shares
