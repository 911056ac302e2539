"""How a person's own files are to be read, in the words of the command line."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from raykd.errors import unknown

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
QUOTING = ("csv", "none")
LABELS = ("classes", "number")
UTF_8 = "utf-8-sig"  # with a byte-order mark or without


@dataclass(frozen=True)
class ReadOptions:
    """What the flags about files say.

    encoding: of text files; None: UTF-8. separator: between the cells of a CSV or TSV file, one character or one of
    SEPARATORS; None: a comma in .csv, a tab in .tsv. quoting: "csv", cells may stand within quotation marks and a
    quotation mark in such a cell is doubled; "none", it is a character like any other. drop_bad_rows: rows that cannot
    be used are left out, counted and listed in a file, instead of refused. labels: "classes" or "number"; None: guessed
    from the values, and said.
    """

    encoding: str | None = None
    separator: str | None = None
    quoting: str = "csv"
    drop_bad_rows: bool = False
    labels: str | None = None

    def problems(self) -> list[str]:
        """Every value that is not allowed, in a sentence each."""
        wrong = []
        if self.encoding is not None and not _is_text_encoding(self.encoding):
            wrong.append(f"unknown encoding '{self.encoding}' (for example utf-8, latin-1, cp1252, utf-16, gb18030)")
        if self.separator is not None and (len(self.delimiter("")) != 1 or self.delimiter("") in '"\r\n\0'):
            names = ", ".join(SEPARATORS)
            wrong.append(f"separator {self.separator!r}: one character such as ';', or one of {names}")
        if self.quoting not in QUOTING:
            wrong.append(unknown("quoting", self.quoting, QUOTING))
        if self.labels is not None and self.labels not in LABELS:
            wrong.append(unknown("kind of labels", self.labels, LABELS))
        return wrong

    def delimiter(self, default: str) -> str:
        """The character between cells."""
        if self.separator is None:
            return default
        return "\t" if self.separator == "\\t" else SEPARATORS.get(self.separator.lower(), self.separator)

    @property
    def codec(self) -> str:
        """The encoding by Python's name for it; UTF-8 is read with its mark or without."""
        name = "utf-8" if self.encoding is None else codecs.lookup(self.encoding).name
        return UTF_8 if name == "utf-8" else name


DEFAULT = ReadOptions()


def named(separator: str) -> str:
    """A separator for a person, e.g. ``';'`` or ``tab``."""
    return {"\t": "tab", " ": "space"}.get(separator, f"'{separator}'")


def _is_text_encoding(name: str) -> bool:
    try:
        return isinstance("a".encode(name).decode(name), str)
    except (LookupError, ValueError):  # ValueError: UnicodeError, and a name that holds a NUL
        return False
