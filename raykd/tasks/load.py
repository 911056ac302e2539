"""One door to all data: the hub, a GLUE or SQuAD folder, own files, or the built-in sample. No silent fall-back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.tasks import glue, labels, own, remote, sample, squad
from raykd.tasks.data import Columns, Data, Split, content_hash, fingerprint
from raykd.tasks.task import CUSTOM, TASKS, find

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

__all__ = ["Columns", "Data", "Split", "load"]


def load(
    task: str,
    data: str = "hub",
    *,
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    dev_file: str | None = None,
    max_train: int | None = None,
    max_dev: int | None = None,
    split_seed: int = 0,
    name: str | None = None,
) -> Data:
    """Loads a task.

    task: a GLUE task, squad, squad_v2, or "custom" for the user's own classes or scores. data: "hub"; "sample"
    (generated, the same each time); a folder in the GLUE layout (its root or the task's own folder);
        a folder with train.* and dev.* (or validation.*); or a train file (.csv, .tsv, .jsonl, .parquet). For squad
        and squad_v2, a folder of SQuAD's JSON (see squad.read_folder) or a train file of it.
    columns: for the user's own files. With a GLUE task name and no columns, a folder with train.tsv is read as GLUE's.
    dev_file: beside a train file; without it a tenth of train is held out, the same share of every class, by
    `split_seed`. max_train, max_dev: only the first so many rows. name: under which models, experiments and folders go.
    By default that of the task; for data of one's own, which are
        a task of their own, that of the file and a hash of its rows.

    Raises UserError for everything that is wrong with the input, several problems at once where possible.
    """
    _check(task, data, columns, dev_file, max_train, max_dev)
    if data == "hub":
        found = remote.read(find(task))
    elif data == "sample":
        found = sample.read(find(task))
    else:
        found = _local(task, expand_home(data), columns, dev_file, split_seed)
        if not found.source.startswith("glue folder"):
            found = replace(found, file_hash=content_hash(found.task, found.train, *found.dev.values()))
    notes = list(found.notes)
    train = found.train.first(max_train)
    if len(train) < len(found.train):
        notes.append(f"first {len(train):,} of {len(found.train):,} rows of train")
    dev = {}
    for split, rows in found.dev.items():
        dev[split] = rows.first(max_dev)
        if len(dev[split]) < len(rows):
            notes.append(f"first {len(dev[split]):,} of {len(rows):,} rows of {split}")
        if not found.task.span and len(set(dev[split].labels)) < 2:
            notes.append(f"every label of {split} is the same: its scores say little")
    labels.varied(f"train of {found.source}", train, found.task)
    return replace(
        found,
        train=train,
        dev=dev,
        notes=tuple(notes),
        fingerprint=fingerprint(found.task, train, dev),
        name=check_name(name) if name else _identity(found, data),
        split_seed=split_seed,
    )


def check_name(name: str) -> str:
    """The name of a task; UserError unless it can be part of names of folders and of registered models."""
    if not NAME.fullmatch(name):
        raise UserError(f"task name '{name}': letters, digits, '.', '_' and '-' only, at most 80")
    return name


def _identity(found: Data, data: str) -> str:
    """The name that a task has by its data."""
    task = found.task.name
    if data == "sample":
        return f"{task}-sample"
    if not found.file_hash:
        return task
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", expand_home(data).absolute().name.partition(".")[0]).strip("-")
    return "-".join([*([task] if task != CUSTOM else []), stem[:40] or "data", found.file_hash[:6]])


def _local(name: str, path: Path, columns: Columns, dev_file: str | None, seed: int) -> Data:
    if not (path.is_file() or path.is_dir()):  # nor a pipe or a device
        raise UserError(f"no such file or folder: {path.absolute()} (data is 'hub', 'sample', a folder or a file)")
    second = expand_home(dev_file) if dev_file else None
    if path.is_file() and name != CUSTOM and find(name).span:
        return squad.read_files(find(name), path, second, seed)
    if path.is_file():
        return own.read_file(name, path, second, columns, seed)
    if dev_file is not None:
        raise UserError(f"a dev file goes with a train file, but {path} is a folder")
    if name != CUSTOM and find(name).span:
        return squad.read_folder(find(name), path, seed)
    if name != CUSTOM and not columns.given():
        shape = find(name)
        folder = glue.place(shape, path)
        if folder is not None:
            return glue.read(shape, folder)
        if any(other.folder and (path / other.folder).is_dir() for other in TASKS.values()):
            raise UserError(f"{path} has no folder {shape.folder} (there: {glue.listing(path)})")
    return own.read_folder(name, path, columns, seed)


def _check(
    name: str, data: str, columns: Columns, dev_file: str | None, max_train: int | None, max_dev: int | None
) -> None:
    problems: list[str] = []
    if name != CUSTOM:
        try:
            find(name)
        except UserError as error:
            problems += error.problems
    if data in ("hub", "sample"):
        if name == CUSTOM:
            problems.append(f"task 'custom' needs your own file or folder, not '{data}'")
        if columns.given() or dev_file is not None:
            problems.append(f"columns and a dev file go with your own files, not with '{data}'")
    elif columns.given() and name in TASKS and TASKS[name].span:
        problems.append(f"task '{name}' reads SQuAD's JSON, which has no columns to name")
    for what, limit in (("max_train", max_train), ("max_dev", max_dev)):
        if limit is not None and limit < 1:
            problems.append(f"{what} is {limit}: it must be at least 1")
    if problems:
        raise UserError(*problems)
