"""One door to all data: the hub, a GLUE or SQuAD folder, own files, or the built-in sample. No silent fall-back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.tasks import glue, labels, own, remote, sample, squad
from raykd.tasks.data import Columns, Data, Split, content_hash, fingerprint
from raykd.tasks.draw import sample_rows
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.summary import summary
from raykd.tasks.task import CUSTOM, TASKS, find

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

__all__ = ["Columns", "Data", "ReadOptions", "Split", "load"]


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
    options: ReadOptions = DEFAULT,
) -> Data:
    """Loads a task.

    task: a GLUE task, squad, squad_v2, or "custom" for the user's own classes or scores.
    data: "hub"; "sample" (generated, the same each time); a folder in the GLUE layout (its root or the task's own
        folder); a folder with train.* and dev.* (or validation.*); a folder that datasets' save_to_disk made; or a
        train file (see formats.SUFFIXES). For squad and squad_v2, a folder of SQuAD's JSON (see squad.read_folder) or
        a train file, of that form or of rows as the hub has them.
    columns: for the user's own files. With a GLUE task name and no columns, a folder with train.tsv is read as GLUE's.
    dev_file: beside a train file; without it a tenth of train is held out, the same share of every class, by
        `split_seed`.
    max_train, max_dev: only so many rows, drawn evenly by `split_seed` (see sample_rows).
    name: under which models, experiments and folders go. By default that of the task; for data of one's own, which are
        a task of their own, that of the file and a hash of its rows.
    options: how text files are written, what becomes of bad rows, what labels are.

    The notes say all that was read, left out and guessed. Raises UserError for everything that is wrong with the input,
    several problems at once where possible.
    """
    _check(task, data, columns, dev_file, max_train, max_dev, options)
    if data == "hub":
        found = remote.read(find(task))
    elif data == "sample":
        found = sample.read(find(task))
    else:
        found = _local(task, expand_home(data), columns, dev_file, split_seed, options)
        if not found.source.startswith("glue folder"):
            found = replace(found, file_hash=content_hash(found.task, found.train, *found.dev.values()))
    notes = list(found.notes)
    splits = {}
    for split, limit in {"train": max_train, **dict.fromkeys(found.dev, max_dev)}.items():
        rows = found.train if split == "train" else found.dev[split]
        splits[split] = sample_rows(rows, found.task, limit, split_seed)
        if len(splits[split]) < len(rows):
            even = ", every class in proportion" if found.task.kind == "classes" else ""
            notes.append(f"{len(splits[split]):,} of {len(rows):,} rows of {split} drawn{even}")
        if split != "train" and not found.task.span and len(set(splits[split].labels)) < 2:
            notes.append(f"every label of {split} is the same: its scores say little")
    train = splits.pop("train")
    dev = splits
    labels.varied(f"train of {found.source}", train, found.task)
    notes += summary(train, dev, found.task)
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


def _local(name: str, path: Path, columns: Columns, dev_file: str | None, seed: int, options: ReadOptions) -> Data:
    if not (path.is_file() or path.is_dir()):  # nor a pipe or a device
        raise UserError(f"no such file or folder: {path.absolute()} (data is 'hub', 'sample', a folder or a file)")
    second = expand_home(dev_file) if dev_file else None
    span = name != CUSTOM and find(name).span
    if path.is_file() or (own.is_single(path) and second is not None):
        if span:
            return squad.read_files(find(name), path, second, seed, options)
        return own.read_file(name, path, second, columns, seed, options)
    if dev_file is not None:
        raise UserError(f"a dev file goes with a train file, but {path} is a folder")
    if span:
        return squad.read_folder(find(name), path, seed, options)
    if name != CUSTOM and not columns.given():
        shape = find(name)
        folder = glue.place(shape, path)
        if folder is not None:
            return glue.read(shape, folder, options)
        if any(other.folder and (path / other.folder).is_dir() for other in TASKS.values()):
            raise UserError(f"{path} has no folder {shape.folder} (there: {glue.listing(path)})")
    return own.read_folder(name, path, columns, seed, options)


def _check(
    name: str,
    data: str,
    columns: Columns,
    dev_file: str | None,
    max_train: int | None,
    max_dev: int | None,
    options: ReadOptions,
) -> None:
    problems = options.problems()
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
        if options != ReadOptions():
            problems.append(f"encoding, separator, quoting, labels and bad rows are of your own files, not of '{data}'")
    elif columns.given() and name in TASKS and TASKS[name].span:
        problems.append(f"task '{name}' reads SQuAD's JSON, which has no columns to name")
    if options.labels is not None and name in TASKS:
        problems.append(f"task '{name}' says itself what its labels are: --labels is for --task custom")
    for what, limit in (("max_train", max_train), ("max_dev", max_dev)):
        if limit is not None and limit < 1:
            problems.append(f"{what} is {limit}: it must be at least 1")
    if problems:
        raise UserError(*problems)
