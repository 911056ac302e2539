"""A local folder in the standard GLUE layout: `RTE/train.tsv`, `RTE/dev.tsv`, `SST-2/train.tsv`, ...

Its files have no quoting: cells are what stands between tabs, and a quotation mark is a character. That holds for them
alone; a person's own .tsv is read as `delimited` does.
"""

from __future__ import annotations

from array import array
from functools import partial
from pathlib import Path

from raykd.errors import UserError, together
from raykd.tasks import labels
from raykd.tasks.bad_rows import BadRow
from raykd.tasks.columns import Wanted, choose
from raykd.tasks.data import Data, Split
from raykd.tasks.formats import Format, open_text
from raykd.tasks.labelled import labelled
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.table import Table
from raykd.tasks.task import Task


def place(task: Task, folder: Path) -> Path | None:
    """Where the task's files lie: `folder/RTE`, or `folder` itself if it holds a train.tsv; None: not a GLUE layout."""
    inside = folder / task.folder
    if inside.is_dir():
        return inside
    return folder if (folder / "train.tsv").is_file() else None


def read(task: Task, folder: Path, options: ReadOptions) -> Data:
    """The task from its own folder (see `place`). Raises UserError for absent files and all that is wrong in them."""
    names = ("train", *task.dev)
    absent = [f"{name}.tsv" for name in names if not (folder / f"{name}.tsv").is_file()]
    if absent:
        raise UserError(f"{folder} has no {' and no '.join(absent)} (there: {listing(folder)})")
    parts = together(partial(_split, task, folder / f"{name}.tsv", options) for name in names)
    splits = {name: part for name, (part, _) in zip(names, parts, strict=True)}
    notes = tuple(note for _, found in parts for note in found)
    train = splits.pop("train")
    return Data(task, train, splits, f"glue folder {folder}", notes, fingerprint="")


def listing(folder: Path) -> str:
    """What a folder holds, for messages: at most twelve names."""
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "nothing"


def _split(task: Task, path: Path, options: ReadOptions) -> tuple[Split, tuple[str, ...]]:
    table = _tabbed(path, Wanted(task.file_texts, task.file_label), task.file_header, options)
    rows = labelled(table, task.file_texts, task.file_label, options.drop_bad_rows)
    part, notes = labels.split(rows, task, task.file_label, options)
    return part, (*table.notes, *notes)


def _tabbed(path: Path, wanted: Wanted, header: tuple[str, ...], options: ReadOptions) -> Table:
    """The wanted columns; header: the names of the columns where the file has no header line."""
    where = str(path)
    cells: list[list[str]] = [[] for _ in wanted.names]
    numbers = array("q")
    bad: list[BadRow] = []
    quoted = 0
    with open_text(path, Format("tsv", packed=False), options) as text:
        text.reconfigure(newline="\n")  # a carriage return within a row, as other signs that end lines, is a character
        rows = ((number, line.rstrip("\r\n").split("\t")) for number, line in enumerate(text, 1))
        rows = ((number, row) for number, row in rows if row != [""])
        columns = list(header) or next(rows, (0, []))[1]
        if not columns:
            raise UserError(f"{where} is empty")
        choice = choose(where, wanted, columns)
        for number, row in rows:
            if len(row) != len(columns):
                shown = row if options.drop_bad_rows else None
                bad.append(BadRow(number, f"{len(row)} cells instead of {len(columns)}", shown))
                continue
            for column, index in zip(cells, choice.indices, strict=True):
                cell = row[index]
                column.append(cell)
                quoted += '""' in cell[1:-1] and cell[0] == '"' == cell[-1]
            numbers.append(number)
    if not numbers and not bad:
        raise UserError(f"{where} holds no rows")
    notes = list(choice.notes)
    if quoted:
        notes.append(
            f"{quoted:,} cells of {where} look quoted, as pandas writes them: GLUE's files have no quoting, so the "
            "marks are kept. Name the columns (--text-columns) to read the file as your own"
        )
    return Table(where, "line", dict(zip(wanted.names, cells, strict=True)), numbers, notes, bad)
