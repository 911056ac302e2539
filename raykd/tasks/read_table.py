"""One door to the columns of a file or of a folder that datasets saved, whatever form it has."""

from __future__ import annotations

from pathlib import Path

from raykd.errors import UserError
from raykd.tasks.arrow_tables import is_dataset, read_arrow, read_dataset
from raykd.tasks.columns import Wanted
from raykd.tasks.delimited import read_delimited
from raykd.tasks.formats import check_content, doubts, format_of
from raykd.tasks.json_rows import read_json
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.table import Table


def read_table(path: Path, wanted: Wanted, options: ReadOptions = DEFAULT, most: int | None = None) -> Table:
    """The wanted columns of a file (see formats.SUFFIXES) or of a folder that datasets saved.

    Args:
        path: the file or folder.
        wanted: names of the columns, and what they are for.
        options: encoding, separator, quoting of text files.
        most: only the first so many rows; None: all.

    Returns:
        The cells as they are written; rows that do not have all of them apart.

    Raises:
        UserError: no such file, unknown or other format, absent or repeated columns, malformed quoting, no rows.
    """
    if path.is_dir() and is_dataset(path):
        table = read_dataset(path, wanted, most)
    else:
        kind = format_of(path)
        if kind.name == "lines":
            raise UserError(f"{path} holds lines of text: a table is wanted. If it is one, call it .tsv or .csv")
        if not path.is_file():
            raise UserError(f"no such file: {path}")
        if kind.name == "csv" or kind.name == "tsv":
            table = read_delimited(path, kind, wanted, options, most)
        elif kind.name == "json":
            table = read_json(path, kind, wanted, options, most)
        else:
            try:
                check_content(path, kind)
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror}") from error
            table = read_arrow(path, kind, wanted, most)
        table.notes += doubts(path, kind, options)
    if not table.total:
        raise UserError(f"{path} holds no rows")
    return table
