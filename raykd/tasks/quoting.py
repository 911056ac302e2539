"""Faults of quoting: rows that a quotation mark has swallowed, and what to say of a file that the parser refuses."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from raykd.tasks.formats import Format, open_text
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.spellings import number

LINE_ENDS = re.compile(r"\r\n|\r|\n")
BACKSLASH = '\\"'
FEW_CLASSES = 20  # of more different numbers than these any number may be another label


@dataclass(frozen=True)
class Swallowed:
    """A cell over lines `start` to `end` whose lines have as many cells as rows.

    labels: what stands where theirs would, to the letter: after a comma of prose there is a space.
    """

    start: int
    end: int
    labels: tuple[str, ...] | None

    def reads_as_rows(self, others: Set[str] | None) -> bool:
        """Whether those are labels of other rows; known: these, None where rows have no label."""
        if others is None or self.labels is None:
            return self.end - self.start > 1  # two lines may have a separator by chance
        if len(others) > FEW_CLASSES and all(number(label) is not None for label in others):
            return all(number(label) is not None and label[:1] != " " for label in self.labels)
        return all(label in others for label in self.labels)


def parser(lines: Iterator[str] | TextIO, separator: str, quoting: str) -> Any:
    """The csv module's reader as raykd uses it."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default refuses a text of more than 131,072 characters
    if quoting == "none":
        return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE, quotechar=None, strict=True)
    return csv.reader(lines, delimiter=separator, strict=True)


def glued(cells: list[str], start: int, separator: str, label: int | None) -> Swallowed | None:
    """What stands in a row of several lines, if it reads as rows that a quotation mark glued into one cell.

    The first line of the cell then has the rest of its own row's cells, the last line the beginning of its own, every
    one between all of a row's. label: the column of the labels.
    """
    width = len(cells)
    if width < 2:
        return None
    line = start
    for index, cell in enumerate(cells):
        parts = LINE_ENDS.split(cell)
        if len(parts) > 1:
            inner = [part.split(separator) for part in parts if part.strip()]
            lengths = {len(row) for row in inner[1:-1]}
            fits = len(inner) > 1 and len(inner[0]) == width - index and len(inner[-1]) == index + 1
            if fits and lengths <= {width}:
                labels = None if label is None else _labels(inner, index, label, cells)
                return Swallowed(line, line + len(parts) - 1, labels)
        line += len(parts) - 1
    return None


def _labels(inner: list[list[str]], index: int, label: int, cells: list[str]) -> tuple[str, ...]:
    """The cells in which the labels of the glued rows would stand."""
    first = cells[label] if label < index else inner[0][label - index]
    last = inner[-1][label] if label <= index else cells[label]
    return (first, *(row[label] for row in inner[1:-1]), last)


def explain(path: Path, kind: Format, separator: str, options: ReadOptions, message: str) -> str:
    """A sentence for a file that the parser refuses: where, what is wrong, and what to do."""
    start, end = _row_at_fault(path, kind, separator, options)
    if "NUL" in message:  # Python 3.10's parser
        return f"{path}, line {end}: a NUL character, which no text holds"
    if "end of data" in message:
        what = f"the quotation mark that opens a cell on line {start} is never closed"
    elif "expected after" in message:
        opened = "of a cell" if end == start else f"of a cell that begins on line {start}"
        what = f"on line {end} text stands after the closing quotation mark {opened}"
    else:
        what = message
    said = f"{path}, line {start}: malformed quoting: {what}; what follows would be read wrongly"
    if _backslashes(path, kind, options, start, end):
        return (
            f'{said}. It has backslash escapes (\\"), as Spark and MySQL write them: export it again with quotation '
            "marks doubled (in Spark: option('escape', '\"')), or as JSONL or Parquet"
        )
    cure = "put a cell that holds quotation marks within quotation marks, and double those within"
    if options.quoting == "csv" and _sound_without(path, kind, separator, options):
        cure += ". Or, where quotation marks are plain characters in this file: --quoting none (every row has then as "
        cure += "many cells as the header)"
    return f"{said}. Mend the file: {cure}"


def _row_at_fault(path: Path, kind: Format, separator: str, options: ReadOptions) -> tuple[int, int]:
    """The lines where the row begins that cannot be read, and where that shows."""
    line = 0
    with open_text(path, kind, options) as text:
        reader = parser(text, separator, options.quoting)
        try:
            for _ in reader:
                line = reader.line_num
        except csv.Error:
            pass
        return line + 1, max(line + 1, reader.line_num)


def _backslashes(path: Path, kind: Format, options: ReadOptions, start: int, end: int) -> bool:
    with open_text(path, kind, options) as text:
        return any(BACKSLASH in line for line in islice(text, start - 1, end))


def _sound_without(path: Path, kind: Format, separator: str, options: ReadOptions) -> bool:
    """Whether every row has as many cells as the header where quotation marks are plain characters."""
    with open_text(path, kind, options) as text:
        widths = {len(cells) for cells in parser(text, separator, "none") if cells}
    return len(widths) == 1
