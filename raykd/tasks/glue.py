"""A local folder in the standard GLUE layout: `RTE/train.tsv`, `RTE/dev.tsv`, `SST-2/train.tsv`, ..."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from raykd.errors import UserError, together
from raykd.tasks import labels, table
from raykd.tasks.data import Data, Split
from raykd.tasks.task import Task


def place(task: Task, folder: Path) -> Path | None:
    """Where the task's files lie: `folder/RTE`, or `folder` itself if it holds a train.tsv; None: not a GLUE layout."""
    inside = folder / task.folder
    if inside.is_dir():
        return inside
    return folder if (folder / "train.tsv").is_file() else None


def read(task: Task, folder: Path) -> Data:
    """The task from its own folder (see `place`). Raises UserError for absent files and all that is wrong in them."""
    names = ("train", *task.dev)
    absent = [f"{name}.tsv" for name in names if not (folder / f"{name}.tsv").is_file()]
    if absent:
        raise UserError(f"{folder} has no {' and no '.join(absent)} (there: {listing(folder)})")
    parts = together(partial(_split, task, folder / f"{name}.tsv") for name in names)
    splits = {name: part for name, (part, _) in zip(names, parts, strict=True)}
    notes = tuple(note for _, found in parts for note in found)
    train = splits.pop("train")
    return Data(task, train, splits, f"glue folder {folder}", notes, fingerprint="")


def listing(folder: Path) -> str:
    """What a folder holds, for messages: at most twelve names."""
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "nothing"


def _split(task: Task, path: Path) -> tuple[Split, tuple[str, ...]]:
    found = table.read(path, (*task.file_texts, task.file_label), task.file_header)
    part, notes = labels.split(found, task, task.file_texts, task.file_label)
    return part, (*found.notes, *notes)
