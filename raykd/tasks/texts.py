"""Texts without labels: a file of lines, a table, or a folder of such files."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.tasks.arrow_tables import is_dataset
from raykd.tasks.bad_rows import BadRow, numbers, rows_text, settle
from raykd.tasks.columns import Wanted
from raykd.tasks.formats import SUFFIXES, doubts, is_lines, is_table, lines_of_text, open_text
from raykd.tasks.labelled import plain_text
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.read_table import read_table
from raykd.tasks.table import Table

Row = tuple[str, ...]


@dataclass(frozen=True)
class Texts:
    """Rows of one or two texts, and what is to be said of how they were read."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read_texts(
    source: str | Path,
    columns: int | Sequence[str],
    *,
    most: int | None = None,
    options: ReadOptions = DEFAULT,
) -> Texts:
    """Texts to learn from.

    Args:
        source: a .txt file (or of another name that is no table's) with a text a line, the two of a pair separated by a
            tab; a table (see formats.SUFFIXES); a folder whose .txt files, or else whose tables, are read in order of
            name; or a folder that datasets saved.
        columns: the names of a table's text columns, or how many texts a row has. A table without these names must have
            as many columns, which are then taken in order.
        most: only the first so many rows.
        options: how text files are written.

    Returns:
        The rows that hold texts; those without are left out and counted.

    Raises:
        UserError: nothing there, a line with another number of texts, no text at all, and what `read_table` refuses.
    """
    path = expand_home(source)
    if not (path.is_file() or path.is_dir()):  # nor a pipe or a device, which may have no end
        raise UserError(f"no such file or folder of texts: {path.absolute()}")
    names, notes = _names(columns), list[str]()
    rows: list[Row] = []
    for file in _files(path):
        left = None if most is None else most - len(rows)
        if left == 0:
            break
        if file.is_dir() or is_table(file):
            rows += _of_table(file, names, options, left, notes)
        else:
            rows += _of_lines(file, len(names), options, left, notes)
    if not rows:
        raise UserError(f"{path.absolute()} holds no text")
    return Texts(tuple(rows), tuple(notes))


def read_inputs(path: Path, columns: int | Sequence[str], options: ReadOptions = DEFAULT) -> Texts:
    """Texts to answer: a row for every line of a file of lines, blank ones too, or for every row of a table.

    Args:
        path: the file, a table if its name says so, lines otherwise.
        columns: as for `read_texts`.
        options: how text files are written.

    Returns:
        The texts as they are written, empty ones for a blank line.

    Raises:
        UserError: no such file, a line with another number of texts, and what `read_table` refuses.
    """
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    names = _names(columns)
    if is_table(path):
        table = read_table(path, Wanted(names, placed=True), options)
        rows = [row for row in _cells(table, names) if row is not None]
        settle(table.where, table.unit, table.total, table.bad, ReadOptions())  # every row wants an answer
        return Texts(tuple(rows), tuple(table.notes))
    with open_text(path, lines_of_text(path), options) as text:
        return Texts(lines_of(str(path), text, len(names)))


def lines_of(where: str, lines: Iterable[str], texts: int) -> tuple[Row, ...]:
    """A row of `texts` texts for every line, as written; empty ones for a blank line. UserError names the line."""
    rows: list[Row] = []
    wrong: list[int] = []
    count = 0
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UserError(f"{where}, line {number}: a NUL character, which no text holds")
        row = tuple(line.rstrip("\r\n").split("\t"))
        if len(row) != texts and not line.strip():
            row = ("",) * texts
        if len(row) != texts:
            wrong.append(number)
            count = count or len(row)
        rows.append(row)
    if wrong:
        raise UserError(
            f"{where}, line {wrong[0]}: {_wish(texts)}, found {count}"
            + (f" ({len(wrong):,} such lines)" if len(wrong) > 1 else "")
            + (". A table wants a name in .tsv, or .csv" if count > texts else "")
        )
    return tuple(rows)


def _names(columns: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(columns, int):
        return ("text",) if columns == 1 else tuple(f"text{number}" for number in range(1, columns + 1))
    return tuple(columns)


def _files(path: Path) -> list[Path]:
    """The files to read: lines before tables, so that notes beside texts in a folder do no harm."""
    if path.is_file() or is_dataset(path):
        return [path]
    inside = sorted(file for file in path.iterdir() if file.is_file())
    files = [file for file in inside if is_lines(file)] or [file for file in inside if is_table(file)]
    if not files:
        raise UserError(f"{path.absolute()} holds no .txt file, and no {', '.join(SUFFIXES)}")
    return files


def _of_table(
    path: Path, names: tuple[str, ...], options: ReadOptions, most: int | None, notes: list[str]
) -> list[Row]:
    table = read_table(path, Wanted(names, placed=True), options, most)
    every = _cells(table, names)
    notes += table.notes
    notes += settle(table.where, table.unit, table.total, table.bad, options)
    rows = [row for row in every if row is not None and all(text.strip() for text in row)]
    if empty := sum(row is not None for row in every) - len(rows):
        notes.append(f"{rows_text(empty)} of {path} with an empty text left out")
    return rows


def _cells(table: Table, names: tuple[str, ...]) -> list[Row | None]:
    """The texts of each row; None for a row whose cells are no texts, which is then one of the table's bad ones."""
    rows: list[Row | None] = []
    for number, *cells in zip(table.numbers, *(table.cells[name] for name in names), strict=True):
        texts = [plain_text(cell) for cell in cells]
        faults = [f"{why} in column '{name}'" for name, (_, why) in zip(names, texts, strict=True) if why is not None]
        if faults:
            table.bad.append(BadRow(number, faults[0], dict(zip(names, cells, strict=True))))
        rows.append(None if faults else tuple(text for text, _ in texts))
    kept = [number for number, row in zip(table.numbers, rows, strict=True) if row is not None]
    table.numbers = array("q", kept)
    return rows


def _of_lines(path: Path, texts: int, options: ReadOptions, most: int | None, notes: list[str]) -> list[Row]:
    """The texts of the lines that are not blank, without spaces around them."""
    rows: list[Row] = []
    blank: list[int] = []
    tabs = 0
    with open_text(path, lines_of_text(path), options) as lines:
        for number, line in enumerate(lines, 1):
            if most is not None and len(rows) >= most:
                break
            if not line.strip():
                blank.append(number)
                continue
            row = tuple(part.strip() for part in line.split("\t")) if texts > 1 else (line.strip(),)
            if len(row) != texts or not all(row):
                raise UserError(f"{path}, line {number}: {_wish(texts)}, found {len(row)}")
            if "\0" in line:
                raise UserError(f"{path}, line {number}: a NUL character, which no text holds")
            tabs += texts == 1 and "\t" in row[0]
            rows.append(row)
    notes += doubts(path, lines_of_text(path), options)
    if blank:
        notes.append(f"{rows_text(len(blank))} of {path} blank, left out ({numbers('line', blank)})")
    if tabs:
        notes.append(f"a tab in {rows_text(tabs)} of {path} is part of the text (a table wants a name in .tsv)")
    return rows


def _wish(texts: int) -> str:
    return "one text is wanted" if texts == 1 else f"{texts} texts separated by tabs are wanted"
