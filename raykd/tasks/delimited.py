"""CSV and TSV, read as they are written or refused with the line: quoting, separators, the number of cells.

A cell may stand within quotation marks, and a quotation mark in such a cell is doubled (RFC 4180); a quotation mark in
the middle of a cell without them is a character. What the csv module accepts beyond that is refused here.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from raykd.errors import UserError
from raykd.progress import counted
from raykd.tasks.bad_rows import BadRow, rows_text
from raykd.tasks.columns import Wanted, bare, choose
from raykd.tasks.formats import Format, open_text
from raykd.tasks.quoting import Swallowed, explain, glued, parser
from raykd.tasks.read_options import SEPARATORS, ReadOptions, named
from raykd.tasks.table import Table

SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # what Excel reads before the header
PEEK = 20  # rows that are looked at to tell a header from a row, and a separator from another

Row = tuple[int, int, list[str]]  # its first and its last line, and its cells


def read_delimited(path: Path, kind: Format, wanted: Wanted, options: ReadOptions, most: int | None = None) -> Table:
    """The wanted columns of a CSV or TSV file.

    Args:
        path: the file.
        kind: its format; it says which separator is expected, and whether the file is packed.
        wanted: the columns to read.
        options: separator, quoting and encoding where they are not the usual ones.
        most: only the first so many rows; None: all.

    Returns:
        The cells to the letter. Rows with another number of cells than the header are the table's bad ones.

    Raises:
        UserError: malformed quoting, rows swallowed by a quotation mark, another separator, absent columns, no header.
    """
    where = str(path)
    with open_text(path, kind, options) as text:
        lines, header, separator, skipped = _start(where, text, kind, options)
        try:
            rows = counted(_rows(lines, separator, options, skipped), f"reading {path.name}")
            return _table(where, rows, header, separator, wanted, options, most)
        except csv.Error as error:
            message = str(error)
    if (other := _other_separator(header, separator, wanted)) is not None:
        raise UserError(_separated(where, separator, other))
    raise UserError(explain(path, kind, separator, options, message))


def _start(where: str, text: TextIO, kind: Format, options: ReadOptions) -> tuple[Iterator[str], str, str, int]:
    """The lines from the header on, that line, the separator, and how many lines stand before them."""
    separator = options.delimiter("\t" if kind.name == "tsv" else ",")
    skipped = 0
    header = text.readline()
    while header.isspace():
        skipped += 1
        header = text.readline()
    if (sep_line := SEP_LINE.fullmatch(header)) is not None:
        if options.separator is not None and separator != sep_line[1]:
            raise UserError(
                f"{where}: its first line says that {named(sep_line[1])} separates cells, --separator says "
                f"{named(separator)}"
            )
        separator, skipped, header = sep_line[1], skipped + 1, text.readline()
    return chain([header], text), header, separator, skipped


def _rows(lines: Iterator[str], separator: str, options: ReadOptions, skipped: int) -> Iterator[Row]:
    """Every row that is not blank."""
    reader = parser(lines, separator, options.quoting)
    line = 0
    for cells in reader:
        start, line = line + 1, reader.line_num
        if cells:
            yield start + skipped, line + skipped, cells


def _table(
    where: str,
    rows: Iterator[Row],
    header: str,
    separator: str,
    wanted: Wanted,
    options: ReadOptions,
    most: int | None,
) -> Table:
    first = next(rows, None)
    if first is None:
        raise UserError(f"{where} is empty")
    following = list(islice(rows, PEEK))
    try:
        choice = choose(where, wanted, first[2], [cells for _, _, cells in following])
    except UserError:
        if (other := _other_separator(header, separator, wanted)) is not None:
            raise UserError(_separated(where, separator, other)) from None
        raise
    columns = [bare(name) for name in first[2]]
    width, last = len(columns), None if choice.headless else first[2][-1]
    every = chain([first] if choice.headless else [], following, rows)
    table = Table(where, "line", {name: [] for name in wanted.names}, array("q"), list(choice.notes))
    adders = [(table.cells[name].append, index) for name, index in zip(wanted.names, choice.indices, strict=True)]
    numbers = table.numbers
    label = None if wanted.label is None else choice.indices[-1]
    several, longest, suspects = 0, (0, 0), list[Swallowed]()
    for start, end, cells in every:
        if most is not None and len(numbers) >= most:
            break
        if len(cells) != width:
            if len(cells) == 1 and not cells[0].strip():
                continue  # a line of spaces
            row = cells if options.drop_bad_rows else None
            shown = "cell" if len(cells) == 1 else "cells"
            table.bad.append(BadRow(start, f"{len(cells)} {shown} instead of {width}", row))
            continue
        if end > start:
            several += 1
            longest = max(longest, (end - start + 1, -start))
            if (swallowed := glued(cells, start, separator, label)) is not None:
                suspects.append(swallowed)
        if cells[-1] == last and start > first[1] and width > 1 and list(map(bare, cells)) == columns:
            table.bad.append(BadRow(start, "the header's names again", cells if options.drop_bad_rows else None))
            continue
        for add, index in adders:
            add(cells[index])
        numbers.append(start)
    _check_widths(where, table, columns, separator, options)
    if options.quoting == "none":
        cells_within = sum(cell[:1] == '"' == cell[-1:] for column in table.cells.values() for cell in column)
        if cells_within:
            table.notes.append(f"{cells_within:,} cells of {where} stand within quotation marks, which are kept")
    if suspects:
        _check_swallowed(where, table, suspects, wanted)
    if several:
        lines = f"the longest {longest[0]:,} from line {-longest[1]:,} on"
        table.notes.append(f"{rows_text(several)} of {where} over several lines, {lines}")
    return table


def _check_widths(where: str, table: Table, columns: list[str], separator: str, options: ReadOptions) -> None:
    """UserError where so many rows have another number of cells that the file is written in another way."""
    if 2 * len(table.bad) <= table.total or (options.drop_bad_rows and table.numbers):
        return
    reasons = sorted({row.reason for row in table.bad})
    shown = reasons[0] if len(reasons) == 1 else f"another number of cells than {len(columns)}"
    raise UserError(
        f"{where}: {len(table.bad):,} of {table.total:,} rows have {shown}, as the first line has "
        f"({', '.join(columns)[:200]}), separated by {named(separator)}: is the first line the header? Does each row "
        "end in a separator that the header lacks? Do cells that hold the separator stand within quotation marks? Is "
        "the separator another one (--separator)?"
    )


def _check_swallowed(where: str, table: Table, suspects: list[Swallowed], wanted: Wanted) -> None:
    """UserError where the lines of a cell read as rows, to the label: a quotation mark too many has swallowed them."""
    label = wanted.label
    labels = None if label is None else set(table.cells[label])
    faults = [suspect for suspect in suspects if suspect.reads_as_rows(labels)]
    if faults:
        first = faults[0]
        raise UserError(
            f"{where}, line {first.start}: a cell within quotation marks goes on to line {first.end}, and its lines "
            f"read as rows of their own ({len(faults):,} such in the file): the quotation mark there is one too many, "
            "or is to be doubled within quotation marks. Where quotation marks are plain characters: --quoting none. "
            "Where the cell is right, give the rows as JSONL or Parquet"
        )


def _other_separator(header: str, separator: str, wanted: Wanted) -> str | None:
    """The separator with which the first line has the wanted columns, where it has not with the expected one."""
    if _has(header, separator, wanted):
        return None
    others = [other for other in SEPARATORS.values() if other not in (separator, " ")]
    return next((other for other in others if _has(header, other, wanted)), None)


def _has(header: str, separator: str, wanted: Wanted) -> bool:
    names = [name.strip().strip('"') for name in header.strip("\r\n").split(separator)]
    if all(name.strip() in names for name in wanted.names):
        return True
    return wanted.placed and len(names) == len(wanted.names) > 1


def _separated(where: str, separator: str, other: str) -> str:
    word = next(name for name, sign in SEPARATORS.items() if sign == other)
    return f"{where}: its columns are separated by {named(other)}, not by {named(separator)}: say --separator {word}"
