"""Texts without labels: a file of lines, or a folder of such files."""

from __future__ import annotations

from pathlib import Path

from raykd.errors import UserError
from raykd.paths import expand_home

SUFFIX = ".txt"


def read_texts(place: str, columns: int, *, most: int | None = None) -> tuple[tuple[str, ...], ...]:
    """One text a line, the two of a pair separated by a tab; empty lines are left out.

    place: a text file (UTF-8), or a folder whose .txt files are read in order of name. columns: texts a line must have.
    most: only the first so many. Raises UserError, with the file and the line, for a line with another number of texts.
    """
    path = expand_home(place)
    if not (path.is_file() or path.is_dir()):  # nor a pipe or a device, which may have no end
        raise UserError(f"no such file or folder of texts: {path.absolute()}")
    files = sorted(file for file in path.glob(f"*{SUFFIX}") if file.is_file()) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path.absolute()} holds no {SUFFIX} file")
    rows: list[tuple[str, ...]] = []
    for file in files:
        try:
            with file.open(encoding="utf-8-sig") as lines:
                for number, line in enumerate(lines, start=1):
                    if most is not None and len(rows) >= most:
                        return tuple(rows)
                    if line.strip():
                        rows.append(_row(line, columns, file, number))
        except UnicodeDecodeError as error:
            raise UserError(f"{file} is not UTF-8 text: {error}") from None
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
    if not rows:
        raise UserError(f"{path.absolute()} holds no text")
    return tuple(rows)


def _row(line: str, columns: int, file: Path, number: int) -> tuple[str, ...]:
    texts = tuple(part.strip() for part in line.rstrip("\r\n").split("\t")) if columns > 1 else (line.strip(),)
    if len(texts) != columns or not all(texts):
        raise UserError(f"{file}, line {number}: {columns} texts separated by tabs are wanted, found {len(texts)}")
    return texts
