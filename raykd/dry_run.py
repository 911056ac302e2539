"""What a dry run does instead of the real thing: few rows stand for all, an untaught network for the teacher.

So it ends within about a minute, whatever the size of the data, and leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from raykd.tasks.data import Data
from raykd.tasks.draw import sample_rows
from raykd.tasks.holdout import SELECT
from raykd.workspace import Workspace

FEW_TRAIN, FEW_DEV = 2_000, 200  # rows that stand for all


@dataclass(frozen=True)
class DryRun:
    """The rows at hand, and how many of all the rows each of them stands for.

    Attributes:
        data: Few rows of each split.
        whole_data: All of them.
        folder: For what is tokenised and saved on the way; it goes with the dry run.
        train: Rows of the whole training split for each one at hand.
        dev: The same for each other split, by name.
    """

    data: Data
    whole_data: Data
    folder: Path
    train: float
    dev: Mapping[str, float]

    def whole(self, split: str, rows: int) -> int:
        """How many rows of all `rows` of a split at hand stand for; "train" is the training split."""
        return round(rows * (self.train if split in ("train", SELECT) else self.dev[split]))


@contextmanager
def dry_run_of(data: Data, workspace: Workspace) -> Iterator[DryRun]:
    """Few rows of `data`, and a folder that is there until this ends."""
    train = sample_rows(data.train, data.task, FEW_TRAIN, data.split_seed)
    dev = {name: sample_rows(split, data.task, FEW_DEV, data.split_seed) for name, split in data.dev.items()}
    scale = len(data.train) / len(train)
    source = (
        data.source if scale == 1 else f"{data.source}, of whose {len(data.train):,} training rows few stand for all"
    )
    few = replace(data, train=train, dev=dev, source=source)
    workspace.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dry-run-", dir=workspace.root) as folder:
        shares = {name: len(data.dev[name]) / len(split) for name, split in dev.items()}
        yield DryRun(few, data, Path(folder), scale, shares)
