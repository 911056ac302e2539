"""JSON: an object a line, or an array of objects."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from raykd.errors import UserError
from raykd.progress import counted
from raykd.tasks.bad_rows import BadRow, numbers, rows_text
from raykd.tasks.columns import Wanted, absent, choose, matching
from raykd.tasks.formats import Format, open_text
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.table import Table

EARLY = 1_000  # rows without a column after which it counts as absent


class Repeated(dict[str, Any]):
    """An object that has a key more than once, with the last value of each, as JSON's readers take it."""

    keys_twice: frozenset[str]


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object from its pairs, `Repeated` where a key comes again."""
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    names = [name for name, _ in pairs]
    repeated = Repeated(plain)
    repeated.keys_twice = frozenset(name for name in names if names.count(name) > 1)
    return repeated


DECODER = json.JSONDecoder(object_pairs_hook=object_of)


def read_json(path: Path, kind: Format, wanted: Wanted, options: ReadOptions, most: int | None = None) -> Table:
    """The wanted columns of a file of JSON objects, one a line or in one array, whatever the file is called.

    Args:
        path: the file.
        kind: its format; it says whether the file is packed.
        wanted: the columns to read.
        options: the encoding, and whether what bad rows hold is kept.
        most: only the first so many rows; None: all.

    Returns:
        JSON's own values. Rows without one of the columns, or with one twice, are the table's bad ones.

    Raises:
        UserError: what is no JSON, with the line; rows that are no objects; absent columns.
    """
    where = str(path)
    with open_text(path, kind, options) as text:
        start = _first_letter(text)
        if start == "":
            raise UserError(f"{where} holds no rows")
        lined = is_lined(path)
        if start == "[":
            table = _table(where, "row", _array(where, text.read()), wanted, options, most)
            said = f"{where} is one JSON array, not an object a line: read as such"
        else:
            table = _table(where, "line", counted(_lines(where, text), f"reading {path.name}"), wanted, options, most)
            said = f"{where} holds a JSON object a line: read as such"
    if lined == (start == "["):
        table.notes.append(said)
    return table


def is_lined(path: Path) -> bool:
    """Whether the name says that an object stands on each line."""
    return path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def check_whole(where: str, text: str, content: Any) -> None:
    """UserError where JSON text writes half of a character ("\\ud800"), which no tokenizer and no file takes."""
    if "\\ud" not in text and "\\uD" not in text:
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{where} writes half of a character: {error.object[error.start : error.end]!r}") from None


def _first_letter(text: TextIO) -> str:
    """The first character that is no space; the text is then read from its beginning again."""
    letter = text.read(1)
    while letter and letter.isspace():
        letter = text.read(1)
    text.seek(0)
    return letter


def _lines(where: str, text: TextIO) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text, 1):
        if line.isspace():
            continue
        try:
            row = DECODER.decode(line)
        except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
            raise UserError(_not_json(where, number, line, error, text)) from None
        check_whole(f"{where}, line {number}", line, row)
        yield number, row


def _not_json(where: str, number: int, line: str, error: Exception, rest: TextIO) -> str:
    """A sentence for a line that is no JSON; where all lines together are one object, what that holds."""
    if number == 1 and line.strip().startswith("{"):
        try:
            whole = DECODER.decode(line + rest.read())
        except (ValueError, RecursionError):
            pass
        else:
            keys = ", ".join(list(whole)[:10])
            return f"{where} is one JSON object ({keys[:300]}): an object a line is wanted, or one array of objects"
    return f"{where}, line {number} is not JSON: {error}"


def _array(where: str, text: str) -> Iterator[tuple[int, Any]]:
    try:
        content = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} begins as a JSON array, but is not JSON: {error}") from None
    check_whole(where, text, content)
    return enumerate(content, 1)


def _table(
    where: str, unit: str, rows: Iterator[tuple[int, Any]], wanted: Wanted, options: ReadOptions, most: int | None
) -> Table:
    table = Table(where, unit, {name: [] for name in wanted.names}, array("q"))
    names = wanted.names
    adders = [table.cells[name].append for name in names]
    keys: tuple[str, ...] = ()
    twice: list[int] = []
    seen: dict[str, None] = {}
    for number, row in rows:
        if most is not None and len(table.numbers) >= most:
            break
        if not isinstance(row, dict):
            raise UserError(f"{where}, {unit} {number} is not a JSON object")
        if not keys:  # the names as the file writes them, by the first row that has them
            keys = _keys(where, wanted, row, table)
        fault = None
        try:
            cells = [row[key] for key in keys or names]
        except KeyError:
            seen |= dict.fromkeys(row)
            cells, fault = _by_near_names(row, names)
        if type(row) is Repeated:
            again = sorted(row.keys_twice & {*keys, *names})
            fault = f"'{again[0]}' more than once" if again else fault
            twice += [] if again else [number]
        if fault is not None:
            table.bad.append(BadRow(number, fault, row if options.drop_bad_rows else None))
            if len(table.bad) >= EARLY and not table.numbers and any(name not in seen for name in names):
                break
            continue
        for add, cell in zip(adders, cells, strict=True):
            add(cell)
        table.numbers.append(number)
    if not table.numbers and (lacking := [name for name in names if seen and name not in seen]):
        raise UserError(*(absent(where, name, list(seen)) for name in lacking))
    if twice:
        lines = numbers(unit, twice)
        table.notes.append(f"{rows_text(len(twice))} of {where} with a key more than once that is not needed ({lines})")
    return table


def _keys(where: str, wanted: Wanted, row: dict[str, Any], table: Table) -> tuple[str, ...]:
    """The keys of the wanted columns, where this row has all of them."""
    present = list(row)
    try:
        choice = choose(where, wanted, present)
    except UserError:
        if wanted.placed or all(matching(name, present) for name in wanted.names):
            raise
        return ()
    table.notes += choice.notes
    return tuple(present[index] for index in choice.indices)


def _by_near_names(row: dict[str, Any], names: tuple[str, ...]) -> tuple[list[Any], str | None]:
    """The cells of a row whose keys differ from the other rows' by spaces, and what is wrong with the row."""
    present, cells = list(row), []
    for name in names:
        keys = matching(name, present)
        if len(keys) != 1:
            return [], f"'{name}' more than once" if keys else f"no '{name}'"
        cells.append(row[present[keys[0]]])
    return cells, None
