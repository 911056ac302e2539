"""Files to columns: .tsv, .csv, .jsonl, .parquet. Nothing here knows what a label means."""

from __future__ import annotations

import csv
import difflib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykd.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
MALFORMED_SHARE = 0.01  # above this the file is not what it claims to be


@dataclass(frozen=True)
class Table:
    """Chosen columns of one file, each a list of cells of equal length."""

    where: str  # for messages
    cells: dict[str, list[Any]]
    notes: tuple[str, ...] = ()


def read(path: Path, want: tuple[str, ...], header: tuple[str, ...] = ()) -> Table:
    """The wanted columns of a file; `header` names the columns of a .tsv without a header line.

    Raises UserError: no such file, unknown suffix, missing columns, no rows, too many malformed rows, not UTF-8.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: unknown kind of file '{path.suffix}' (allowed: {', '.join(SUFFIXES)})")
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    try:
        if path.suffix == ".parquet":
            table = _parquet(path, want)
        elif path.suffix == ".jsonl":
            table = _jsonl(path, want)
        else:
            table = _delimited(path, want, header)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if not next(iter(table.cells.values())):
        raise UserError(f"{path} holds no rows")
    return table


def missing(where: str, want: tuple[str, ...], present: list[str]) -> UserError | None:
    """The error that names every wanted column that is not there, with the nearest one that is; None if all are."""
    problems = []
    for name in want:
        if name not in present:
            near = difflib.get_close_matches(name, present, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'? " if near else ""
            problems.append(f"{where} has no column '{name}': {hint}(present: {', '.join(present)})")
    return UserError(*problems) if problems else None


def _delimited(path: Path, want: tuple[str, ...], header: tuple[str, ...]) -> Table:
    rows = _quoted(path) if path.suffix == ".csv" else _tabbed(path)
    columns = list(header)
    if not columns:
        _, columns = next(rows, (0, []))
        if not columns:
            raise UserError(f"{path} is empty")
        if absent := missing(str(path), want, columns):
            raise absent
    at = [columns.index(name) for name in want]
    cells: dict[str, list[Any]] = {name: [] for name in want}
    malformed: list[int] = []
    total = 0
    for line, row in rows:
        total += 1
        if len(row) != len(columns):
            malformed.append(line)
            continue
        for name, i in zip(want, at, strict=True):
            cells[name].append(row[i])
    if not malformed:
        return Table(str(path), cells)
    lines = ", ".join(map(str, malformed[:5])) + (", ..." if len(malformed) > 5 else "")
    finding = f"{len(malformed):,} of {total:,} rows of {path} do not have {len(columns)} columns (line {lines})"
    if len(malformed) > MALFORMED_SHARE * total:
        raise UserError(finding)
    return Table(str(path), cells, (f"{finding}: dropped",))


def _tabbed(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells, split on tabs with no quoting, as in GLUE: there a quotation mark is just a character."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip("\r\n")
            if text:
                yield number, text.split("\t")


def _quoted(path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default refuses a text of more than 131,072 characters
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: {error}") from None


def _jsonl(path: Path, want: tuple[str, ...]) -> Table:
    cells: dict[str, list[Any]] = {name: [] for name in want}
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
                raise UserError(f"{path}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number} is not a JSON object")
            if absent := missing(f"{path}, line {number}", want, list(row)):
                raise absent
            check_whole(f"{path}, line {number}", line, row)
            for name in want:
                cells[name].append(row[name])
    return Table(str(path), cells)


def check_whole(where: str, text: str, content: Any) -> None:
    """UserError where JSON text writes half of a character ("\\ud800"), which no tokenizer and no file takes."""
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{where} writes half of a character: {error.object[error.start : error.end]!r}") from None


def _parquet(path: Path, want: tuple[str, ...]) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        # Opened here: a name that is no UTF-8 is one that pyarrow cannot take.
        with path.open("rb") as opened, pyarrow.parquet.ParquetFile(opened) as file:
            if absent := missing(str(path), want, file.schema_arrow.names):
                raise absent
            table = file.read(columns=list(want))
    except pyarrow.ArrowException as error:
        raise UserError(f"{path} is not a Parquet file: {error}") from None
    return Table(str(path), {name: table.column(name).to_pylist() for name in want})
