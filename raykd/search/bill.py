"""What comes before the first trial, as a dry run finds it, and the sizes that a run on all rows has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raykd.dry_run import DryRun
from raykd.search.estimate import Rows
from raykd.train.config import Training


@dataclass(frozen=True)
class Bill:
    """What comes before the first trial of the real thing.

    Attributes:
        run: The rows at hand.
        tokenising: Seconds a row.
        lesson: The settings by which the teacher would be taught; None for one that is.
        lesson_rows: On so many rows.
    """

    run: DryRun
    tokenising: float
    lesson: Training | None
    lesson_rows: int


def all_rows(run: DryRun | None, train: int, dev: Mapping[str, int]) -> Rows:
    """The sizes that a run on all rows has.

    Args:
        run: None: they are all at hand.
        train: Rows at hand of train.
        dev: Of each other split, the one that selects first.
    """
    if run is not None:
        train, dev = run.whole("train", train), {name: run.whole(name, rows) for name, rows in dev.items()}
    return Rows(train, next(iter(dev.values())), sum(dev.values()))
