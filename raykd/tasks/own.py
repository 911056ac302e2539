"""The user's own data: one file, two files, or a folder with train.* and dev.* (or validation.*)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from raykd.errors import UserError, together
from raykd.tasks import labels, squad, table, task
from raykd.tasks.data import Columns, Data, Split
from raykd.tasks.glue import listing
from raykd.tasks.holdout import hold_out
from raykd.tasks.task import CUSTOM, Task


def read_file(name: str, train: Path, dev: Path | None, columns: Columns, seed: int) -> Data:
    """Train and dev from files; without a dev file a tenth of train is held out, the same share of every class.

    name: a GLUE task (its classes and metrics; columns as on the hub unless named) or "custom" (columns must be
    named, classes are inferred from the train file). Raises UserError.
    """
    texts, label = _columns(name, columns, train)
    paths = (train,) if dev is None else (train, dev)
    tables = together(partial(table.read, path, (*texts, label)) for path in paths)
    notes: list[str] = [note for found in tables for note in found.notes]
    if name == CUSTOM:
        shape, inferred = labels.infer(tables[0], texts, label)
        notes.append(inferred)
    else:
        shape = task.find(name)
    parts = together(partial(labels.split, found, shape, texts, label) for found in tables)
    notes += [note for _, found in parts for note in found]
    rest = parts[0][0]
    if dev is None:
        labels.varied(str(train), rest, shape)
        rest, held = hold_out(rest, shape, seed=seed, purpose="dev")
        notes.append(f"{len(held):,} of {len(held) + len(rest):,} rows of {train} held out as dev (split seed {seed})")
        return Data(shape, rest, {"dev": held}, f"file {train}", tuple(notes), fingerprint="")
    return Data(shape, rest, {"dev": parts[1][0]}, f"files {train} and {dev}", tuple(notes), fingerprint="")


def read_rows(shape: Task, path: Path, columns: Columns) -> tuple[Split, tuple[str, ...]]:
    """All rows of a file, with the classes of `shape`, and notes.

    Args:
        shape: The task that a model was made for.
        path: The file.
        columns: The columns; those that are not named are the task's.

    Raises:
        UserError: All that is wrong with the file; labels that are none of the task's classes.
    """
    if shape.span:
        return squad.read_split(shape, path)
    texts, label = columns.texts or shape.texts, columns.label or shape.label_column
    if not texts or not label:
        raise UserError(f"name the text columns and the label column of {path} (--text-columns, --label-column)")
    if shape.texts and len(texts) != len(shape.texts):
        raise UserError(f"the model reads {len(shape.texts)} text(s) a row, given: {', '.join(texts)}")
    found = table.read(path, (*texts, label))
    part, notes = labels.split(found, shape, texts, label)
    return part, (*found.notes, *notes)


def read_folder(name: str, folder: Path, columns: Columns, seed: int) -> Data:
    """As `read_file`, for the train.* and dev.* (or validation.*) of a folder. Raises UserError."""
    train = [folder / f"train{suffix}" for suffix in table.SUFFIXES if (folder / f"train{suffix}").is_file()]
    dev = [
        folder / f"{stem}{suffix}"
        for stem in ("dev", "validation")
        for suffix in table.SUFFIXES
        if (folder / f"{stem}{suffix}").is_file()
    ]
    problems = []
    for what, found in (("train", train), ("dev or validation", dev)):
        if len(found) != 1:
            several = f"more than one {what} file" if found else f"no {what} file"
            problems.append(f"{folder} has {several} ({', '.join(table.SUFFIXES)}; there: {listing(folder)})")
    if problems:
        raise UserError(*problems)
    return read_file(name, train[0], dev[0], columns, seed)


def _columns(name: str, columns: Columns, train: Path) -> tuple[tuple[str, ...], str]:
    if name == CUSTOM:
        if not columns.texts or not columns.label or len(columns.texts) > 2:
            raise UserError(
                f"task 'custom': name one or two text columns and the label column of {train}"
                " (--text-columns, --label-column)"
            )
        return _apart(columns.texts, columns.label)
    shape = task.find(name)
    texts = columns.texts or shape.texts
    if len(texts) != len(shape.texts):
        raise UserError(
            f"task '{name}' has {len(shape.texts)} text column(s) ({', '.join(shape.texts)}), given: {', '.join(texts)}"
        )
    return _apart(texts, columns.label or shape.label_column)


def _apart(texts: tuple[str, ...], label: str) -> tuple[tuple[str, ...], str]:
    """The names, once no two of them are the same column."""
    if len({*texts, label}) <= len(texts):
        raise UserError(f"columns {', '.join((*texts, label))}: texts and label must be different columns")
    return texts, label
