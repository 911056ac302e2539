"""The rows of a table whose cells can be used: texts, and labels as text, before it is known what those mean."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

from raykd.errors import UserError
from raykd.tasks.bad_rows import BadRow, rows_text
from raykd.tasks.spellings import NUMBER
from raykd.tasks.table import Table

# What a whole column of texts may be that some tool wrote as text.
LOOKS = (
    (NUMBER, "is a number: is it the right column?"),
    (re.compile(r"b(['\"]).*\1", re.DOTALL), "reads as Python's bytes (b'...'): decode them before they are written"),
    (re.compile(r"\[.*\]", re.DOTALL), "reads as a list: join its words before they are written"),
    (re.compile(r"'.*'", re.DOTALL), "stands within single quotation marks, which are kept"),
)


@dataclass
class Labelled:
    """Rows with texts, each with its number in the file and its label, "" where it has none.

    bad: rows that cannot be used. empty: the numbers of rows with an empty text, which are left out. classes: names
    that the file gives to integer labels. kinds: how many labels the file holds of each type of value.
    """

    where: str
    unit: str
    total: int
    classes: tuple[str, ...]
    texts: list[tuple[str, ...]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def labelled(table: Table, texts: tuple[str, ...], label: str, keep: bool) -> Labelled:
    """The rows of a table as texts and labels.

    Args:
        table: the cells.
        texts: the one or two columns of texts.
        label: the column of labels.
        keep: what a bad row holds is kept, to be listed, and rows with an empty text are among the bad ones.

    Returns:
        Rows whose texts hold something and whose labels are a single value, and the others by number and reason.

    Raises:
        UserError: most cells of a column are neither texts nor labels.
    """
    rows = Labelled(table.where, table.unit, table.total, table.classes.get(label, ()), bad=list(table.bad))
    read = _LabelReader(rows.classes)
    columns = [table.cells[name] for name in texts]
    for number, label_cell, *cells in zip(table.numbers, table.cells[label], *columns, strict=True):
        reason = None
        empty = False
        for index, cell in enumerate(cells):
            if type(cell) is not str or "\0" in cell:
                cells[index], why = plain_text(cell)
                reason = reason if why is None else f"{why} in column '{texts[index]}'"
                empty = empty or (why is None and not cells[index].strip())
            elif not cell or cell.isspace():
                empty = True
        if empty and reason is None:
            rows.empty.append(number)
            if not keep:
                continue
            reason = "an empty text"
        value = read(label_cell)
        if reason is None and value.fault is not None:
            reason = f"{value.fault} in column '{label}'"
        if reason is not None:
            row = dict(zip((*texts, label), (*cells, label_cell), strict=True)) if keep else None
            rows.bad.append(BadRow(number, reason, row))
            continue
        value.count += 1
        rows.texts.append(tuple(cells))
        rows.labels.append(value.text)
        rows.numbers.append(number)
    _check_columns(table, rows.bad, (*texts, label), label)
    for value in read.values.values():
        rows.kinds[value.kind] += value.count if value.text else 0
    for index, name in enumerate(texts):
        for pattern, words in LOOKS:
            if rows.texts and all(pattern.fullmatch(row[index].strip()) for row in rows.texts):
                rows.notes.append(f"every text in column '{name}' of {table.where} {words}")
    if spaced := sum(value.count for value in read.values.values() if value.spaced):
        rows.notes.append(f"spaces around the label of {rows_text(spaced)} of {table.where}: read without")
    return rows


@dataclass
class _Label:
    """What a cell of labels is as text, or why it is none, and how many rows have it."""

    text: str
    fault: str | None
    kind: str
    spaced: bool = False
    count: int = 0


class _LabelReader:
    """Labels as text: 1, 1.0 and true of a typed file are "1", None and NaN are ""."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.values: dict[object, _Label] = {}

    def __call__(self, cell: Any) -> _Label:
        """The label in a cell; the same object for the same cell."""
        kind = type(cell)
        if isinstance(cell, (list, dict)):
            return _Label("", kind_of(cell), "")
        key = cell if kind is str else (kind, cell)
        label = self.values.get(key)
        if label is None:
            label = self._text(cell) if kind is str else self._other(cell)
            self.values[key] = label
        return label

    def _text(self, cell: str) -> _Label:
        text = cell.strip()
        fault = "a line break" if "\n" in text or "\r" in text else "a NUL character" if "\0" in text else None
        return _Label(text, fault, "text", spaced=text != cell)

    def _other(self, cell: Any) -> _Label:
        if isinstance(cell, bytes):
            text, fault = plain_text(cell)
            return self._text(text) if fault is None else _Label("", fault, "")
        text, fault = self._typed(cell)
        return _Label(text, fault, "true or false" if isinstance(cell, bool) else "number")

    def _typed(self, cell: Any) -> tuple[str, str | None]:
        if cell is None or cell != cell:
            return "", None
        if self.classes and isinstance(cell, int) and not isinstance(cell, bool):
            if cell == -1:  # what datasets writes where there is no label
                return "", None
            declared = 0 <= cell < len(self.classes)
            return (self.classes[cell], None) if declared else ("", f"{cell}, which is no class of the file's own,")
        if isinstance(cell, (bool, int)):
            return str(int(cell)), None
        if isinstance(cell, float):
            return (str(int(cell)) if cell.is_integer() else repr(cell)), None
        if isinstance(cell, Decimal) and cell.is_finite():
            return (str(int(cell)) if cell == cell.to_integral_value() else format(cell.normalize(), "f")), None
        return "", kind_of(cell)


def plain_text(cell: Any) -> tuple[Any, str | None]:
    """A cell as text, and why it is none: what is no text is not turned into any."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return "", None
    if isinstance(cell, bytes):
        try:
            cell = cell.decode()
        except UnicodeDecodeError:
            return cell, "bytes that are not UTF-8"
    if isinstance(cell, str):
        return cell, "a NUL character" if "\0" in cell else None
    return cell, f"{kind_of(cell)} instead of a text"


def kind_of(cell: Any) -> str:
    """What a cell is, for a person."""
    if isinstance(cell, bool):
        return "true or false"
    if isinstance(cell, (Real, Decimal)):
        return "a number"
    if isinstance(cell, (list, tuple)):
        return "a list"
    if isinstance(cell, dict):
        return "an object"
    if isinstance(cell, (datetime.date, datetime.time, datetime.timedelta)):
        return "a date or time"
    return f"a {type(cell).__name__}"


def _check_columns(table: Table, bad: Sequence[BadRow], columns: tuple[str, ...], label: str) -> None:
    """UserError where most cells of a column have the same fault: it is the column, not the row, that is wrong."""
    problems = []
    for name in columns:
        faults = [row.reason for row in bad if row.reason.endswith(f" in column '{name}'")]
        if 2 * len(faults) > table.total:
            fault = max(set(faults), key=faults.count)
            what = "label" if name == label else "text"
            wish = "is it the right column?" if "number" in fault else f"one {what} a row is wanted"
            problems.append(f"{table.where}: {len(faults):,} of {table.total:,} rows have {fault}: {wish}")
    if problems:
        raise UserError(*problems)
