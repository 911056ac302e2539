"""Which format a file has, by its name and by its first bytes, and its text as characters."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from raykd.errors import UserError
from raykd.tasks.encodings import check_start, fault, other_reading
from raykd.tasks.read_options import ReadOptions

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
LINES = ".txt"  # texts alone, one a line
PLAIN = ("csv", "tsv", "json", "lines")  # text files: these may be packed by gzip
SUFFIXES = (*FORMATS, ".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz")

# What people have that is not read, by the last suffix, and what to do about it.
ELSEWHERE = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), "a spreadsheet: save it as CSV (UTF-8) there"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), "an archive: unpack it, and give the file within"),
    **dict.fromkeys((".bz2", ".xz", ".zst", ".lz4", ".z"), "packed in a way that is not read: unpack it, or use gzip"),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".npy", ".npz"), "Python's own form: write it as Parquet or JSONL"),
    **dict.fromkeys((".xml", ".html", ".htm"), "a page: write its rows as CSV or JSONL"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "a database: export the table as CSV"),
}
# First bytes that say what a file is, whatever it is called.
MAGIC = (
    (b"\x1f\x8b", "gzip", "a gzip file: call it {}.gz"),
    (b"PAR1", "parquet", "a Parquet file: call it .parquet"),
    (b"ARROW1", "arrow", "an Arrow file: call it .arrow"),
    (b"PK\x03\x04", "", "a zip archive or a spreadsheet: unpack it, or save it as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "", "a spreadsheet of old: save it as CSV (UTF-8)"),
    (b"BZh", "", "packed by bzip2: unpack it, or use gzip"),
    (b"\xfd7zXZ\x00", "", "packed by xz: unpack it, or use gzip"),
    (b"\x28\xb5\x2f\xfd", "", "packed by zstd: unpack it, or use gzip"),
    (b"SQLite format 3", "", "a SQLite database: export the table as CSV"),
    (b"version https://git-lfs", "", "a pointer of Git LFS, not the file itself: fetch it with git lfs pull"),
    (b"<!DOCTYPE html", "", "an HTML page, perhaps an error page instead of a download"),
    (b"<!doctype html", "", "an HTML page, perhaps an error page instead of a download"),
    (b"<html", "", "an HTML page, perhaps an error page instead of a download"),
)
START = 4096  # bytes of a file that are looked at first


@dataclass(frozen=True)
class Format:
    """name: "csv", "tsv", "json", "parquet", "arrow" or "lines"; packed: by gzip."""

    name: str
    packed: bool


def is_table(path: Path) -> bool:
    """Whether the name says that a file holds rows with columns; that it may not be readable is said later."""
    suffix, packed = _suffix(path)
    return suffix in FORMATS and (not packed or FORMATS[suffix] in PLAIN)


def is_lines(path: Path) -> bool:
    """Whether the name says that a file holds one text a line."""
    return _suffix(path)[0] == LINES


def format_of(path: Path) -> Format:
    """The format that the name says, in capital letters or not. UserError for one that is not read, and what to do."""
    suffix, packed = _suffix(path)
    kind = "lines" if suffix == LINES else FORMATS.get(suffix)
    if kind is not None and (not packed or kind in PLAIN):
        return Format(kind, packed)
    if packed and kind is not None:
        raise UserError(f"{path}: unpack it first (gunzip): {suffix} files are packed within")
    if suffix in ELSEWHERE:
        raise UserError(f"{path} is {ELSEWHERE[suffix]} (allowed: {', '.join(SUFFIXES)})")
    raise UserError(f"{path}: unknown kind of file '{path.suffix}' (allowed: {', '.join(SUFFIXES)})")


def lines_of_text(path: Path) -> Format:
    """The format of a file that holds a text a line. UserError for what is no text by its name."""
    suffix, packed = _suffix(path)
    if suffix in ELSEWHERE:
        raise UserError(f"{path} is {ELSEWHERE[suffix]}")
    return Format("lines", packed)


def check_content(path: Path, kind: Format) -> bytes:
    """The first bytes of a file, unpacked. UserError where they say that it is not what its name says."""
    with path.open("rb") as file:
        start = file.read(START)
    if kind.packed:
        if start and not start.startswith(b"\x1f\x8b"):
            raise UserError(f"{path} is called .gz, but is no gzip file")
        start = _unpacked_start(path)
    for magic, name, words in MAGIC:
        if start.startswith(magic) and name != kind.name:
            raise UserError(f"{path} is {words.format(path.name)}")
    return start


def doubts(path: Path, kind: Format, options: ReadOptions) -> list[str]:
    """A note on a text file that is read in the encoding asked for, but is sound in UTF-8."""
    if options.encoding is None or kind.name not in PLAIN:
        return []
    try:
        start = check_content(path, kind)
    except (OSError, EOFError, zlib.error):
        return []  # said where it is read
    if not other_reading(start, options.codec):
        return []
    return [f"{path} is sound UTF-8, and read as {options.codec} as --encoding says: do its letters look right?"]


@contextmanager
def open_text(path: Path, kind: Format, options: ReadOptions) -> Iterator[io.TextIOWrapper]:
    """The characters of a text file, line ends as they are.

    Raises UserError, also for what goes wrong while it is read: bytes that are no text in its encoding, with the line;
    a gzip file that is cut short or damaged; a file that cannot be read.
    """
    try:
        codec = check_start(str(path), check_content(path, kind), options)
        with _open_bytes(path, kind) as file, io.TextIOWrapper(file, encoding=codec, newline="") as text:
            yield text
    except UnicodeError as error:
        with _open_bytes(path, kind) as file:
            raise UserError(fault(str(path), file, codec, error)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged or cut short: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _open_bytes(path: Path, kind: Format) -> BinaryIO:
    return gzip.open(path) if kind.packed else path.open("rb")  # type: ignore[return-value]


def _unpacked_start(path: Path) -> bytes:
    with gzip.open(path) as file:
        return file.read(START)


def _suffix(path: Path) -> tuple[str, bool]:
    """The suffix in small letters, without .gz, and whether that was there."""
    packed = path.suffix.lower() == ".gz"
    return (path.with_suffix("") if packed else path).suffix.lower(), packed
