"""The rows that a saved model is scored by: all of a file, but for those that the model has seen.

A file is read by the classes that the model's card names, so that a class which is absent from it moves no other one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from raykd.card import ModelCard
from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.tasks import own, squad
from raykd.tasks.data import Columns, Split, content_hash
from raykd.tasks.draw import sample_rows
from raykd.tasks.holdout import hold_out
from raykd.tasks.row_hashes import row_hashes
from raykd.tasks.source import Source
from raykd.tasks.task import CUSTOM, TASKS, Task
from raykd.teachers import task_spec
from raykd.train.config import TaskSpec

Say = Callable[[str], object]


@dataclass(frozen=True)
class ScoringRows:
    """Splits by name, the first one counts; and the task as the rows have it."""

    task: TaskSpec
    splits: dict[str, Split]


def load_scoring_rows(card: ModelCard, source: Source, task: str | None, folder: Path, say: Say) -> ScoringRows:
    """Read the rows to score the model of `card` by.

    Args:
        card: The model's card. Columns that `source` does not name are those that it was made from.
        source: Where the rows are. Of a file of one's own, all count; `dev_file` names it as well as `data`.
        task: The task whose data `source` holds, where it is not the model's own.
        folder: The model's folder, for messages.
        say: Takes a sentence at a time: what was read, and which rows do not count.

    Raises:
        UserError: All that is wrong with the source, labels that the model does not know, no row that is new to it.
    """
    flag = task or card.task.flag
    path = expand_home(source.dev_file or source.data)
    single = own.is_single(path)
    if source.data in ("hub", "sample") or not (single or (flag == CUSTOM and path.is_dir())):
        data = replace(source, task_name=None).load(flag)
        say(f"data: {data.source}; " + ", ".join(f"{len(split):,} {name}" for name, split in data.dev.items()))
        for note in data.notes:
            say(f"data: {note}")
        for name, split in data.dev.items():
            _say_seen(card, name, split, say)
        return ScoringRows(task_spec(data), data.dev)
    known = _task(card.task, flag)
    if not single:
        parts = own.folder_parts(path)
        path = parts.dev or parts.train
        single = parts.dev is None
        for note in parts.notes:
            say(f"data: {note}")
    if known.span:
        whole, notes = squad.read_split(known, path, source.reading)
    else:
        columns = Columns(source.text_columns, source.label_column)
        whole, notes = own.read_rows(known, path, columns, source.reading)
    for note in notes:
        say(f"data: {note}")
    if source.dev_file is not None or not single:
        _say_seen(card, path.name, whole, say)
        return ScoringRows(card.task, {"dev": _drawn(whole, known, source, say)})
    if card.task.file_hash == content_hash(known, whole):
        held = hold_out(whole, known, seed=card.task.split_seed, purpose="dev")[1]
        say(f"data: '{folder}' was made from this file: scored by the {len(held):,} rows held out of it as dev")
        return ScoringRows(card.task, {"dev": _drawn(held, known, source, say)})
    fresh = _unseen(card, whole, folder, say)
    return ScoringRows(card.task, {"dev": _drawn(fresh, known, source, say)})


def _task(spec: TaskSpec, flag: str) -> Task:
    """The task by whose classes a file is read."""
    if flag in TASKS:
        return TASKS[flag]
    metrics = spec.metrics
    return Task(CUSTOM, "your own data", spec.texts, spec.labels, metrics, spec.primary, label_column=spec.label_column)


def _drawn(split: Split, task: Task, source: Source, say: Say) -> Split:
    part = sample_rows(split, task, source.max_eval_samples, source.split_seed)
    if len(part) < len(split):
        say(f"data: {len(part):,} of {len(split):,} rows drawn")
    return part


def _unseen(card: ModelCard, split: Split, folder: Path, say: Say) -> Split:
    """The rows that the model has not seen; UserError where there is none."""
    if card.seen is None:
        say(f"warning: '{folder}' does not say which rows it has learnt from; some may be among these {len(split):,}")
        return split
    seen = card.seen.contains(row_hashes(split.texts))
    count = int(seen.sum())
    if count == len(split):
        raise UserError(
            f"'{folder}' has seen all {count:,} rows: it or its teacher has learnt from them, or was selected by them. "
            "Give other rows"
        )
    if count:
        say(
            f"data: {count:,} of {len(split):,} rows are left out: the model or its teacher has learnt from them, or "
            "was selected by them"
        )
    return split.take(np.flatnonzero(~seen).tolist())


def _say_seen(card: ModelCard, name: str, split: Split, say: Say) -> None:
    """A warning where a split that reports holds rows that the model has seen."""
    if card.seen is None:
        return
    count = int(card.seen.contains(row_hashes(split.texts)).sum())
    if count:
        say(
            f"warning: the model or its teacher has seen {count:,} of the {len(split):,} rows of {name}: scores on "
            "them promise too much"
        )
