"""Parquet, Arrow, and folders that datasets saved: columns by their types, class names that the file knows."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError
from raykd.tasks.columns import Wanted, choose
from raykd.tasks.formats import Format
from raykd.tasks.table import Table

if TYPE_CHECKING:
    import pyarrow

STATE, SPLITS = "state.json", "dataset_dict.json"  # what datasets' save_to_disk leaves in a folder


def read_arrow(path: Path, kind: Format, wanted: Wanted, most: int | None = None) -> Table:
    """The wanted columns of a Parquet or Arrow file.

    Args:
        path: the file.
        kind: which of the two it is.
        wanted: the columns to read.
        most: only the first so many rows; None: all.

    Returns:
        Python's values, and the class names that datasets wrote into the schema.

    Raises:
        UserError: not such a file; columns that are absent, stand twice, or hold what is no text and no label.
    """
    import pyarrow
    import pyarrow.parquet

    where = str(path)
    try:
        # Opened here: a name that is no UTF-8 is one that pyarrow cannot take.
        with path.open("rb") as opened:
            if kind.name == "parquet":
                with pyarrow.parquet.ParquetFile(opened) as file:
                    choice = choose(where, wanted, file.schema_arrow.names)
                    names = [file.schema_arrow.names[index] for index in choice.indices]
                    data, schema = file.read(columns=names), file.schema_arrow
            else:
                data = _ipc(opened)
                schema = data.schema
                choice = choose(where, wanted, schema.names)
                names = [schema.names[index] for index in choice.indices]
            columns = dict(zip(wanted.names, (data.column(name) for name in names), strict=True))
            table = _table(where, wanted, columns, most)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.strerror is not None and not isinstance(error, pyarrow.ArrowException):
            raise UserError(f"{where} cannot be read: {error.strerror}") from error
        what = "a Parquet" if kind.name == "parquet" else "an Arrow"
        raise UserError(f"{where} is not {what} file that can be read: {error}") from None
    table.notes[:0] = choice.notes
    sources = {name: column for column, name in zip(names, wanted.names, strict=True)}
    described = _features(schema.metadata)
    table.classes = {name: classes for name in sources if (classes := _names(described.get(sources[name])))}
    return table


def is_dataset(folder: Path) -> bool:
    """Whether datasets' save_to_disk made the folder, of one data set or of several splits."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def splits(folder: Path) -> list[str]:
    """The splits in a folder that datasets saved; none for a single data set. UserError for a damaged one."""
    if not (folder / SPLITS).is_file():
        return []
    try:
        named = json.loads((folder / SPLITS).read_text(encoding="utf-8"))["splits"]
        return [name for name in named if (folder / name / STATE).is_file()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: its {SPLITS} is damaged: {error!r}") from None


def read_dataset(folder: Path, wanted: Wanted, most: int | None = None) -> Table:
    """The wanted columns of a data set of one split that datasets' save_to_disk wrote.

    Args:
        folder: the folder of the split.
        wanted: the columns to read.
        most: only the first so many rows; None: all.

    Returns:
        Python's values, and the names of a ClassLabel.

    Raises:
        UserError: a folder of several splits, a damaged one, and what `read_arrow` refuses.
    """
    import datasets  # 1-2 s

    where = str(folder)
    if not (folder / STATE).is_file():
        raise UserError(
            f"{where} is no data set of one split: give the folder of one (there: {', '.join(splits(folder))})"
        )
    try:
        data = datasets.load_from_disk(where)
    except Exception as error:  # its errors have no common class
        raise UserError(f"{where} cannot be read as a data set that datasets saved: {error}") from error
    choice = choose(where, wanted, data.column_names)
    names = [data.column_names[index] for index in choice.indices]
    chosen = data.select_columns(list(dict.fromkeys(names)))
    whole = chosen.with_format("arrow")[: len(chosen) if most is None else most] if len(chosen) else chosen.data.table
    columns = dict(zip(wanted.names, (whole.column(name) for name in names), strict=True))
    table = _table(where, wanted, columns, most)
    table.notes[:0] = choice.notes
    for name, column in zip(wanted.names, names, strict=True):
        if isinstance(feature := data.features[column], datasets.ClassLabel):
            table.classes[name] = tuple(feature.names)
    return table


def _ipc(opened: Any) -> pyarrow.Table:
    """An Arrow file in any of its forms: datasets writes streams, feather writes files."""
    import pyarrow
    import pyarrow.feather

    start = opened.read(6)
    opened.seek(0)
    if start.startswith(b"FEA1"):
        return pyarrow.feather.read_table(opened)
    if start.startswith(b"ARROW1"):
        return pyarrow.ipc.open_file(opened).read_all()
    return pyarrow.ipc.open_stream(opened).read_all()


def _table(where: str, wanted: Wanted, columns: Mapping[str, Any], most: int | None) -> Table:
    problems, notes, cells = list[str](), list[str](), dict[str, list[Any]]()
    for name, column in columns.items():
        column = column if most is None else column.slice(0, most)
        try:
            cells[name] = _cells(where, name, column, notes, wanted)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    count = len(next(iter(cells.values())))
    return Table(where, "row", cells, array("q", range(1, count + 1)), notes)


def _cells(where: str, name: str, column: Any, notes: list[str], wanted: Wanted) -> list[Any]:
    """Python's values of a column. UserError for a type that is no text, or no label."""
    import pyarrow.types as types

    column = _decoded(column)
    if name in wanted.nested:
        return column.to_pylist()
    kind = column.type
    holds = f"{where}: column '{name}' holds {{}} ({str(kind)[:80]})"
    if types.is_nested(kind):
        role = "label" if name == wanted.label else "text"
        raise UserError(f"{holds.format('lists or objects')}: one {role} a row is wanted")
    if types.is_temporal(kind):
        role = "no label" if name == wanted.label else "no text"
        raise UserError(f"{holds.format('dates or times')}, and such is {role}: is it the right column?")
    if name != wanted.label and (types.is_primitive(kind) or types.is_decimal(kind)):
        raise UserError(f"{holds.format('numbers')}, not texts: is it the right column?")
    if types.is_floating(kind):
        column = column.cast("float64")  # half precision has no Python type
    if "binary" in str(kind):
        notes.append(f"column '{name}' of {where} holds bytes: read as UTF-8")
    return column.to_pylist()


def _decoded(column: Any) -> Any:
    """A column of plain values, of one that holds them by number, by run, or under another type's name."""
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        parts = [part.storage for part in column.chunks]
        return _decoded(pyarrow.chunked_array(parts, type=kind.storage_type))
    if pyarrow.types.is_dictionary(kind):
        return _decoded(column.cast(kind.value_type))
    if pyarrow.types.is_run_end_encoded(kind):
        parts = [pyarrow.compute.run_end_decode(part) for part in column.chunks]
        return _decoded(pyarrow.chunked_array(parts, type=kind.value_type))
    return column


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """What datasets wrote of the columns into a file's schema."""
    try:
        data = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _names(feature: Any) -> tuple[str, ...]:
    """The class names of a ClassLabel; () for any other feature."""
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return ()
    names = feature.get("names")
    return tuple(map(str, names)) if isinstance(names, list) else ()
