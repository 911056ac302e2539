"""One door to all data: the hub, a GLUE or SQuAD folder, own files, or the built-in sample. No silent fall-back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from raykd.errors import UserError
from raykd.tasks import arrow_tables, glue, labels, own, remote, sample, squad
from raykd.tasks.data import Columns, Data, Split, fingerprint
from raykd.tasks.draw import sample_rows
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.summary import summary
from raykd.tasks.task import CUSTOM, TASKS, find

__all__ = ["Columns", "Data", "ReadOptions", "Split", "load"]


def load(
    task: str,
    data: str = "hub",
    *,
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    dev_file: str | None = None,
    max_train: int | None = None,
    max_dev: int | None = None,
    seed: int = 1,
    options: ReadOptions = DEFAULT,
) -> Data:
    """Loads a task.

    task: a GLUE task, squad, squad_v2, or "custom" for the user's own classes or scores.
    data: "hub"; "sample" (generated from `seed`); a folder in the GLUE layout (its root or the task's own folder);
        a folder with train.* and dev.* (or validation.*); a folder that datasets' save_to_disk made; or a train file
        (see formats.SUFFIXES). For squad and squad_v2, a folder of SQuAD's JSON (see squad.read_folder) or a train
        file, of that form or of rows as the hub has them.
    columns: for the user's own files. With a GLUE task name and no columns, a folder with train.tsv is read as GLUE's.
    dev_file: beside a train file; without it a tenth of train is held out, the same share of every class, by `seed`.
    max_train, max_dev: only so many rows, drawn evenly (see sample_rows).
    options: how text files are written, what becomes of bad rows, what labels are.

    The notes say all that was read, left out and guessed. Raises UserError for everything that is wrong with the input,
    several problems at once where possible.
    """
    _check(task, data, columns, dev_file, max_train, max_dev, options)
    if data == "hub":
        found = remote.read(find(task))
    elif data == "sample":
        found = sample.read(find(task), seed)
    else:
        found = _local(task, Path(data).expanduser(), columns, dev_file, seed, options)
    notes = list(found.notes)
    splits = {}
    for split, limit in {"train": max_train, **dict.fromkeys(found.dev, max_dev)}.items():
        rows = found.train if split == "train" else found.dev[split]
        splits[split] = sample_rows(rows, found.task, limit)
        if len(splits[split]) < len(rows):
            even = ", every class in proportion" if found.task.kind == "classes" else ""
            notes.append(f"{len(splits[split]):,} of {len(rows):,} rows of {split} drawn{even}")
        if split != "train" and not found.task.span and len(set(splits[split].labels)) < 2:
            notes.append(f"every label of {split} is the same: its scores say little")
    train = splits.pop("train")
    dev = splits
    labels.varied(f"train of {found.source}", train, found.task)
    notes += summary(train, dev, found.task)
    return replace(found, train=train, dev=dev, notes=tuple(notes), fingerprint=fingerprint(found.task, train, dev))


def _local(name: str, path: Path, columns: Columns, dev_file: str | None, seed: int, options: ReadOptions) -> Data:
    if not (path.is_file() or path.is_dir()):  # nor a pipe or a device
        raise UserError(f"no such file or folder: {path.absolute()} (data is 'hub', 'sample', a folder or a file)")
    second = Path(dev_file).expanduser() if dev_file else None
    span = name != CUSTOM and find(name).span
    single = path.is_dir() and arrow_tables.is_dataset(path) and not arrow_tables.splits(path)
    if path.is_file() or (single and second is not None):
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
