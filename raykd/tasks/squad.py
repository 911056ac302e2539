"""SQuAD: two files, one file, or a folder. Questions on a context, with answers that stand in it, or none.

A file holds SQuAD's own JSON (articles, paragraphs, questions), or rows with question, context and answers as the hub
has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from raykd.errors import UserError, together
from raykd.tasks import arrow_tables, squad_rows
from raykd.tasks.asked import Question, split_of
from raykd.tasks.data import Data, Split
from raykd.tasks.formats import FORMATS, format_of, is_table, open_text
from raykd.tasks.glue import listing
from raykd.tasks.holdout import hold_out
from raykd.tasks.json_rows import check_whole, is_lined
from raykd.tasks.own import folder_parts
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.task import Task

# What a file's name says of its version, where a folder holds both.
VERSIONS = {"squad": "v1", "squad_v2": "v2"}


def read_folder(task: Task, folder: Path, seed: int, options: ReadOptions) -> Data:
    """The train*.json and dev*.json (or validation*.json) of a folder. Of other .json files, two are taken as train and
    dev in the order of their names, and a tenth of a single one is held out. A folder without any is read as one of
    rows: what datasets saved, or train.* and dev.*. Raises UserError."""
    files = [] if arrow_tables.is_dataset(folder) else sorted(folder.glob("*.json"))
    if not files and (arrow_tables.is_dataset(folder) or any(is_table(path) for path in folder.iterdir())):
        parts = folder_parts(folder)
        data = read_files(task, parts.train, parts.dev, seed, options)
        return replace(data, notes=(*parts.notes, *data.notes))
    train = _called(task, files, "train")
    dev = _called(task, files, "dev", "validation")
    if len(train) == len(dev) == 1:
        return read_files(task, train[0], dev[0], seed, options)
    if not train and not dev and len(files) in (1, 2):
        data = read_files(task, files[0], files[1] if len(files) == 2 else None, seed, options)
        names = " and ".join(file.name for file in files)
        taken = f"{folder} holds no train*.json and no dev*.json: {names} taken as train" + " and dev" * (
            len(files) - 1
        )
        return Data(data.task, data.train, data.dev, data.source, (taken, *data.notes), fingerprint="")
    problems = []
    for what, found in (("train*.json", train), ("dev*.json or validation*.json", dev)):
        if len(found) != 1:
            several = f"{len(found)} {what}, which one?" if found else f"no {what}"
            problems.append(f"{folder} has {several} (there: {listing(folder)})")
    raise UserError(*problems)


def read_files(task: Task, train: Path, dev: Path | None, seed: int, options: ReadOptions) -> Data:
    """Train and dev from files; without a dev file a tenth of train is held out, whole contexts of it. UserError."""
    paths = (train,) if dev is None else (train, dev)
    parts = together(partial(read_split, task, path, options) for path in paths)
    notes = [note for _, found in parts for note in found]
    whole = parts[0][0]
    if dev is not None:
        return Data(task, whole, {"dev": parts[1][0]}, f"files {train} and {dev}", tuple(notes), fingerprint="")
    rest, held = hold_out(whole, task, seed=seed, purpose="dev")
    notes.append(
        f"{len(held):,} of {len(whole):,} questions of {train} held out as dev, by context (split seed {seed})"
    )
    return Data(task, rest, {"dev": held}, f"file {train}", tuple(notes), fingerprint="")


def _called(task: Task, files: list[Path], *stems: str) -> list[Path]:
    """The files whose name begins so; of several, those that name the task's version."""
    found = [file for file in files if file.name.startswith(stems)]
    versioned = [file for file in found if VERSIONS[task.name] in file.name]
    return versioned if len(found) > 1 and versioned else found


def read_split(task: Task, path: Path, options: ReadOptions) -> tuple[Split, tuple[str, ...]]:
    """The questions of a file, or of a data set that datasets saved, and notes.

    Raises:
        UserError: All that is wrong with it.
    """
    if path.is_dir() and arrow_tables.is_dataset(path):
        return squad_rows.read(task, path, options)
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    kind = format_of(path)
    if kind.name not in ("json", "parquet", "arrow"):
        allowed = ", ".join(suffix for suffix, name in FORMATS.items() if name in ("json", "parquet", "arrow"))
        raise UserError(f"{path}: task '{task.name}' reads SQuAD's JSON, not '{path.suffix}' (allowed: {allowed})")
    where = str(path)
    if kind.name == "json":
        with open_text(path, kind, options) as text:
            whole = text.read()
        start = whole.lstrip()[:1]
        if start != "[":
            try:
                content = json.loads(whole)
            except (ValueError, RecursionError) as error:
                if not is_lined(path) and not squad_rows.is_row(whole.lstrip().partition("\n")[0]):
                    raise UserError(f"{path} is not JSON: {error}") from None
            else:
                check_whole(where, whole, content)
                if not squad_rows.has_rows(content):
                    return split_of(task, where, _questions(where, content))
    return squad_rows.read(task, path, options)


def _questions(where: str, content: Any) -> Iterator[Question]:
    """The questions of a file, in order. UserError names the place that is not as in SQuAD."""
    for article, at in _items(where, content, "data"):
        for paragraph, inside in _items(at, article, "paragraphs"):
            context = _part(inside, paragraph, "context", str)
            for asked, here in _items(inside, paragraph, "qas"):
                question = _part(here, asked, "question", str)
                answers = [] if asked.get("is_impossible") else _items(here, asked, "answers")
                found = [
                    (_part(place, answer, "answer_start", int), _part(place, answer, "text", str))
                    for answer, place in answers
                ]
                yield Question(question, context, found)


def _items(where: str, holder: Any, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects in a list, each with where it stands, e.g. ``dev.json: data[3].paragraphs[0]``."""
    joint = ": " if where.endswith(".json") else "."
    for number, item in enumerate(_part(where, holder, name, list)):
        yield item, f"{where}{joint}{name}[{number}]"


def _part(where: str, holder: Any, name: str, kind: type) -> Any:
    if not isinstance(holder, dict):
        raise UserError(f"{where} is no JSON object: it should hold '{name}', as SQuAD does")
    if name not in holder:
        raise UserError(f"{where} has no '{name}' (present: {', '.join(map(str, holder)) or 'nothing'})")
    if not isinstance(holder[name], kind) or isinstance(holder[name], bool):
        raise UserError(f"{where}: '{name}' is a {type(holder[name]).__name__}, not a {kind.__name__}")
    return holder[name]
