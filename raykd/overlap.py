"""Do the rows that a model is judged by hold rows that it has learnt from? Then its scores promise too much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from raykd.errors import UserError
from raykd.models.seen_rows import read_seen_rows
from raykd.tasks.data import Split
from raykd.tasks.holdout import SELECT
from raykd.tasks.row_hashes import row_hashes

# Named data sets hold a few texts twice, in train and in dev; more than this is another cut of the same data.
TOLERATED = 0.05


def overlaps(role: str, folder: Path, hashes: Mapping[str, np.ndarray]) -> dict[str, tuple[int, str]]:
    """The splits that hold rows which a saved model has learnt from.

    Args:
        role: What the model is for.
        folder: The model's folder. One that does not say what it has learnt from has no overlaps.
        hashes: The rows of each split, [N] (see row_hashes).

    Returns:
        By split, how many they are, and a sentence that says so.
    """
    seen = read_seen_rows(folder)
    counts = {} if seen is None else {name: int(seen.contains(rows).sum()) for name, rows in hashes.items()}
    return {
        name: (count, f"{role} '{folder}' has learnt from {count:,} of the {len(hashes[name]):,} rows of {name}")
        for name, count in counts.items()
        if count
    }


def check_unseen(role: str, folder: Path, splits: Mapping[str, Split], say: Callable[[str], object]) -> None:
    """Compare the rows that a saved model has learnt from with those that will judge.

    Args:
        role: What the model is for, in messages.
        folder: The model's folder. One that does not say what it has learnt from passes.
        splits: The splits that select and report.
        say: Takes a sentence for each split that holds rows it has seen.

    Raises:
        UserError: More than 5 % of the rows of a split that reports were learnt from.
    """
    problems = []
    hashes = {name: row_hashes(split.texts) for name, split in splits.items()}
    for name, (count, sentence) in overlaps(role, folder, hashes).items():
        if name != SELECT and count > TOLERATED * len(splits[name]):
            problems.append(sentence)
        else:
            say(f"warning: {sentence}" + ("" if name != SELECT else ": what it teaches of them may favour a student"))
    if problems:
        raise UserError(
            *problems,
            f"scores on such rows promise too much: give other dev rows (--dev-file), the --split-seed that the {role} "
            f"was made with, or another {role}",
        )
