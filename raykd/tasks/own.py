"""The user's own data: one file, two files, or a folder with train.* and dev.* (or validation.*)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from raykd.errors import UserError, together
from raykd.tasks import arrow_tables, labels, task
from raykd.tasks.columns import Wanted
from raykd.tasks.data import Columns, Data, Split
from raykd.tasks.formats import SUFFIXES, is_table
from raykd.tasks.glue import listing
from raykd.tasks.holdout import hold_out
from raykd.tasks.infer import infer
from raykd.tasks.labelled import Labelled, labelled
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.read_table import read_table
from raykd.tasks.task import CUSTOM, Task


def read_file(name: str, train: Path, dev: Path | None, columns: Columns, seed: int, options: ReadOptions) -> Data:
    """Train and dev from files (or folders that datasets saved); without dev a tenth of train is held out, the same
    share of every class.

    name: a GLUE task (its classes and metrics; columns as on the hub unless named) or "custom" (columns must be
    named, classes are inferred from the train file). Raises UserError.
    """
    texts, label = _columns(name, columns, train)
    files = (train,) if dev is None else (train, dev)
    rows = together(partial(_rows, path, texts, label, options) for path in files)
    notes: list[str] = []
    if name == CUSTOM:
        shape, guesses = infer(rows[0], texts, label, options)
        notes += guesses
    else:
        shape = task.find(name)
    parts = together(partial(labels.split, part, shape, label, options) for part in rows)
    notes += [note for _, more in parts for note in more]
    rest = parts[0][0]
    if dev is None:
        labels.varied(str(train), rest, shape)
        rest, held = hold_out(rest, shape, seed=seed, purpose="dev")
        notes.append(f"{len(held):,} of {len(held) + len(rest):,} rows of {train} held out as dev (split seed {seed})")
        return Data(shape, rest, {"dev": held}, f"file {train}", tuple(notes), fingerprint="")
    return Data(shape, rest, {"dev": parts[1][0]}, f"files {train} and {dev}", tuple(notes), fingerprint="")


def read_rows(shape: Task, path: Path, columns: Columns, options: ReadOptions) -> tuple[Split, tuple[str, ...]]:
    """All rows of a file, or of a data set that datasets saved, with the classes of `shape`, and notes.

    Args:
        shape: The task that a model was made for.
        path: The file.
        columns: The columns; those that are not named are the task's.
        options: How the file is written, and what becomes of bad rows.

    Raises:
        UserError: All that is wrong with the file; labels that are none of the task's classes.
    """
    texts, label = columns.texts or shape.texts, columns.label or shape.label_column
    if not texts or not label:
        raise UserError(f"name the text columns and the label column of {path} (--text-columns, --label-column)")
    if shape.texts and len(texts) != len(shape.texts):
        raise UserError(f"the model reads {len(shape.texts)} text(s) a row, given: {', '.join(texts)}")
    part, notes = labels.split(_rows(path, *_apart(texts, label), options), shape, label, options)
    return part, notes


def is_single(path: Path) -> bool:
    """Whether `path` holds one set of rows: a file, or a folder that datasets saved without splits."""
    return path.is_file() or (path.is_dir() and arrow_tables.is_dataset(path) and not arrow_tables.splits(path))


def read_folder(name: str, folder: Path, columns: Columns, seed: int, options: ReadOptions) -> Data:
    """As `read_file`, for the train.* and dev.* (or validation.*) of a folder. Raises UserError."""
    parts = folder_parts(folder)
    data = read_file(name, parts.train, parts.dev, columns, seed, options)
    return replace(data, notes=(*parts.notes, *data.notes))


@dataclass(frozen=True)
class FolderParts:
    """The train and the dev part of a folder, each a file or a data set that datasets saved, and notes."""

    train: Path
    dev: Path | None
    notes: tuple[str, ...] = ()


def folder_parts(folder: Path) -> FolderParts:
    """Files called train.* and dev.* (or validation.*), the splits of a folder that datasets saved, or such a folder of
    one data set as a whole. Raises UserError."""
    if arrow_tables.is_dataset(folder):
        return _saved(folder)
    problems, parts = [], []
    for what, stems in (("train", ("train",)), ("dev or validation", ("dev", "validation"))):
        paths = [path for path in sorted(folder.iterdir()) if _called(path, stems)]
        parts += paths
        if len(paths) != 1:
            several = f"more than one {what} file" if paths else f"no {what} file"
            problems.append(f"{folder} has {several} ({', '.join(SUFFIXES)}; there: {listing(folder)})")
    if problems:
        raise UserError(*problems)
    return FolderParts(parts[0], parts[1])


def _saved(folder: Path) -> FolderParts:
    """The parts of a folder that datasets saved, with a note where that is a choice."""
    names = arrow_tables.splits(folder)
    if not names:
        return FolderParts(folder, None)
    if "train" not in names:
        raise UserError(f"{folder} has no split 'train' (there: {', '.join(names)}): give the folder of one as --data")
    for name in ("validation", "dev", "test"):
        if name in names:
            others = [other for other in names if other not in ("train", name)]
            aside = f"; left aside: {', '.join(others)}" if others else ""
            notes = (f"{folder}: split '{name}' taken as dev{aside}",) if aside or name == "test" else ()
            return FolderParts(folder / "train", folder / name, notes)
    return FolderParts(folder / "train", None)


def _called(path: Path, stems: tuple[str, ...]) -> bool:
    """Whether a file of a readable form, or a folder that datasets saved, has one of these names."""
    if path.is_dir():
        return path.name in stems and arrow_tables.is_dataset(path)
    return path.is_file() and is_table(path) and path.name.split(".")[0].lower() in stems and path.name.count(".") < 3


def _rows(path: Path, texts: tuple[str, ...], label: str, options: ReadOptions) -> Labelled:
    table = read_table(path, Wanted(texts, label), options)
    rows = labelled(table, texts, label, options.drop_bad_rows)
    rows.notes[:0] = table.notes
    return rows


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
