"""Bytes that are no text in the encoding they are read in: named with line and byte, and what they may be."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from raykd.errors import UserError
from raykd.tasks.read_options import UTF_8, ReadOptions

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHERS = ("cp1252", "latin-1")  # what Western files are in when they are not in UTF-8


def check_start(where: str, start: bytes, options: ReadOptions) -> str:
    """The codec to read a file by that begins with `start`.

    Raises UserError where its first bytes say that it is in another encoding than `options` do.
    """
    codec = options.codec
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    if marked is not None and not codec.startswith(marked):
        if codec == UTF_8:
            raise UserError(
                f"{where} is not UTF-8: it begins with the mark of {marked.upper()}: say --encoding {marked}"
            )
        raise UserError(f"{where} begins with the mark of {marked.upper()}, not of {codec}: say --encoding {marked}")
    if start.startswith(codecs.BOM_UTF8) and codec != UTF_8:
        raise UserError(f"{where} begins with the mark of UTF-8: leave out --encoding {options.encoding}")
    if codec == UTF_8 and (wide := _wide(start)) is not None:
        raise UserError(f"{where} holds a zero byte beside nearly every letter: say --encoding {wide}")
    return codec if marked is None else marked  # utf-16-le with its mark: the mark is no character


def fault(where: str, file: BinaryIO, codec: str, error: UnicodeError) -> str:
    """A sentence for the first bytes of `file` that are not in `codec`: line, byte, and the flag."""
    name = "UTF-8" if codec == UTF_8 else codec
    wide = codec.startswith(("utf-16", "utf-32")) or not isinstance(error, UnicodeDecodeError)
    first = None if wide else _first(file, codec)
    if first is None:
        return f"{where} is not {name} text: {error}. Say what it is in with --encoding"
    line, number, at = first
    shown = f"{where}, line {number}: byte 0x{line[at]:02x} is not {name}"
    around = line[max(0, at - 20) : at + 20].strip()
    if b"\0" in line or codec != UTF_8:
        return f"{shown}: say what it is in with --encoding"
    for other in OTHERS:
        try:
            return f"{shown}. In {other} this reads {around.decode(other)!r}: if that is right, say --encoding {other}"
        except UnicodeDecodeError:
            continue
    return f"{shown}: say what it is in with --encoding"


def other_reading(start: bytes, codec: str) -> bool:
    """Whether bytes that are read in a codec of one byte a letter are sound UTF-8 with letters beyond ASCII."""
    if codec == UTF_8 or codec.startswith(("utf", "gb", "big5", "euc", "shift", "iso2022", "hz", "johab", "cp93")):
        return False
    whole = start[: start.rfind(b"\n") + 1] or start
    try:
        return not whole.decode("utf-8").isascii()
    except UnicodeDecodeError:
        return False


def _first(file: BinaryIO, codec: str) -> tuple[bytes, int, int] | None:
    """The first line that is not in `codec`, its number from 1, and the place of the byte in it."""
    codec = "utf-8" if codec == UTF_8 else codec
    number = 1
    for line in file:
        try:
            line.decode(codec)
        except UnicodeDecodeError as error:
            return line, number + line[: error.start].count(b"\r"), error.start
        ends = line.replace(b"\r\n", b"\n")
        number += ends.count(b"\r") + ends.count(b"\n")
    return None


def _wide(start: bytes) -> str | None:
    """utf-16-le or utf-16-be where every other byte of plain letters is zero, as without a mark."""
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(zeros) > 4 and zeros.count(0) > 0.8 * len(zeros):
            return name
    return None
