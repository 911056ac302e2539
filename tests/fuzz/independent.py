"""What another reader than raykd sees in a file, and whether what raykd read of it is the same, row by row."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from raykd.errors import UserError
from raykd.tasks.data import Columns, Data
from raykd.tasks.load import load
from raykd.tasks.read_options import ReadOptions

Row = tuple[Any, Any]  # a text and a label, as the file has them
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
NOTHING = {"nan", "-nan", "<na>", "#n/a", "n/a", "nat", "\\n", "#value!", "#ref!"}
PERHAPS = {"none", "null", "na", "nil", "inf", "+inf", "-inf", "infinity", "-infinity"}


@dataclass(frozen=True)
class File:
    """How a generated file is written and read. count: rows that are written in it, blank ones left out."""

    name: str
    options: ReadOptions
    separator: str = ","
    count: int | None = None

    def check(self, folder: Path) -> str:
        """What is wrong with how raykd reads the file in `folder`; "" where it refuses it, or reads what is there."""
        path = folder / self.name
        try:
            data = load(
                "custom", str(path), columns=Columns(("text",), "label"), dev_file=str(path), options=self.options
            )
        except UserError as error:
            return "" if error.problems and all(error.problems) else "refused without a word"
        try:
            rows = self.rows(path)
        except Exception as error:  # whatever the other reader says: raykd should have said it too
            return f"accepted what another reader refuses: {type(error).__name__}: {str(error)[:200]}"
        read = len(data.train) if self.options.drop_bad_rows else sum(map(_is_written, rows))
        sure = self.count is not None and self.options.quoting == "csv"
        if sure and (read > int(self.count or 0) if self.options.drop_bad_rows else read != self.count):
            return f"{read} rows were read of {self.count} that are written"
        return compared(data, rows, self.options)

    def rows(self, path: Path) -> list[Row]:
        """All rows of the file as pandas or pyarrow read them."""
        content = path.read_bytes()
        if self.name.endswith(".parquet"):
            return _of_table(pq.read_table(io.BytesIO(content)))
        if self.name.endswith((".jsonl", ".json")):
            return _of_json(content.decode(self.options.encoding or "utf-8-sig"))
        return self._delimited(content)

    def _delimited(self, content: bytes) -> list[Row]:
        encoding = self.options.encoding or "utf-8-sig"
        text = content.decode(encoding).removeprefix("\ufeff").lstrip("\r\n")
        separator = self.separator
        if said := re.match(r'"?sep=(.)"?(\r\n|\r|\n)', text, re.IGNORECASE):
            text, separator = text[said.end() :], said[1]
        quoted = self.options.quoting == "csv"
        if quoted and not _well_quoted(text, separator):
            raise ValueError("malformed quoting")
        if not self.options.drop_bad_rows:
            frame = pd.read_csv(
                io.StringIO(text, newline=""), sep=separator, dtype=str, keep_default_na=False, na_filter=False,
                quoting=0 if quoted else 3, index_col=False, on_bad_lines="error", engine="c",
            )  # fmt: skip
            frame.columns = [re.sub(r"\.\d+$", "", str(name)).strip() for name in frame.columns]
            return list(zip(_column(frame, "text"), _column(frame, "label"), strict=True))
        table = pa.csv.read_csv(
            io.BytesIO(text.encode()),
            parse_options=pa.csv.ParseOptions(
                delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=True,
                invalid_row_handler=lambda row: "skip",
            ),
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=False, column_types=dict.fromkeys(_names(text, separator), pa.string())
            ),
        )  # fmt: skip
        return _of_table(table.rename_columns([name.strip() for name in table.column_names]))


def _well_quoted(text: str, separator: str) -> bool:
    """Whether every cell stands within quotation marks, or begins with another character (RFC 4180)."""
    sign = re.escape(separator)
    cell = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{sign}\r\n]*)(?:{sign}|\r\n|\r|\n|\Z)')
    at = 0
    while at < len(text):
        if (match := cell.match(text, at)) is None:
            return False
        at = match.end()
    return True


def _is_written(row: Row) -> bool:
    return any(str(cell).strip() for cell in row)


def compared(data: Data, rows: list[Row], options: ReadOptions) -> str:
    """What differs between raykd's rows and another reader's; "" where they are the same."""
    kept = [(texts[0], label) for texts, label in zip(data.train.texts, data.train.labels, strict=True)]
    numeric = data.task.regression
    at = 0
    names: dict[str, set[str]] = {}
    for text, label in rows:
        plain = _text(text)
        usable = plain is not None and plain.strip() != "" and "\0" not in plain
        state = _state(label, options, numeric)
        if not usable or state == "none":
            if not (usable or options.drop_bad_rows or plain is None or plain.strip() == ""):
                return f"accepted a row with the text {text!r}"
            if usable and not options.drop_bad_rows:
                return f"accepted a file with the label {label!r}"
            continue
        value = kept[at][1] if at < len(kept) else 0
        name = str(value) if numeric else data.task.labels[int(value)]
        if state == "perhaps" and options.drop_bad_rows and not _same(label, name, numeric):
            continue
        if at < len(kept) and kept[at][0] == plain:
            if not _same(label, name, numeric):
                return f"row {at}: label {label!r} was read as {name!r}"
            names.setdefault(name, set()).add(label.strip() if isinstance(label, str) else f"typed {label!r}")
            at += 1
        else:
            there = kept[at][0] if at < len(kept) else "nothing"
            return f"row {at}: {there!r} where another reader has {plain!r} with {label!r}"
    if at != len(kept):
        return f"{len(kept)} rows, another reader has {at}"
    return "" if options.labels == "number" else _merged(names, options.labels)


def _merged(names: dict[str, set[str]], kind: str | None) -> str:
    """Labels written in different ways must not become one, nor one label two classes."""
    for name, ways in names.items():
        strings = {way for way in ways if not way.startswith("typed ")}
        if len(strings) > 1 and not all(re.fullmatch(r"-?\d+\.0*|-?\d+", way) for way in strings):
            return f"{sorted(strings)} became {name!r}"
    folded: dict[object, str] = {}
    for name in names:
        key = Decimal(name) if NUMBER.fullmatch(name) else name.casefold()
        if kind is None and key in folded:
            return f"{name!r} and {folded[key]!r} are two classes"
        folded[key] = name
    return ""


def _same(label: Any, name: str, numeric: bool) -> bool:
    """Whether a label of the file is what raykd calls it."""
    if isinstance(label, bytes):
        label = label.decode()
    if isinstance(label, bool):
        return name == str(int(label))
    if numeric:
        return float(label) == float(name)
    text = str(label).strip()
    return text == name or (
        bool(NUMBER.fullmatch(text)) and bool(NUMBER.fullmatch(name)) and Decimal(text) == Decimal(name)
    )


def _state(label: Any, options: ReadOptions, numeric: bool) -> str:
    """Whether a label is "none", a "label", or, as the word for it, "perhaps" one."""
    if label is None or (isinstance(label, float) and label != label) or isinstance(label, (list, dict)):
        return "none"
    text = (label.decode() if isinstance(label, bytes) else str(label)).strip()
    if not text or "\n" in text or "\r" in text or "\0" in text:
        return "none"
    if numeric:
        return "label" if NUMBER.fullmatch(text) and abs(float(text)) != float("inf") else "none"
    if options.labels == "classes":
        return "label"
    if text.casefold() in NOTHING:
        return "none"
    return "perhaps" if text.casefold() in PERHAPS else "label"


def _text(cell: Any) -> str | None:
    """A cell as the text that it is; None for what is none."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return ""
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return None
    return cell if isinstance(cell, str) else None


def _of_table(table: pa.Table) -> list[Row]:
    names = [name.strip() for name in table.column_names]
    return list(zip(*(table.column(names.index(name)).to_pylist() for name in ("text", "label")), strict=True))


def _of_json(text: str) -> list[Row]:
    if text.lstrip().startswith("["):
        found = json.loads(text, object_pairs_hook=_object)
    else:
        found = [json.loads(line, object_pairs_hook=_object) for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    rows = []
    for row in found:
        plain = {key.strip(): cell for key, cell in row.items()} | row
        rows.append((plain["text"], plain["label"]) if {"text", "label"} <= set(plain) else ([], []))
    return rows


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, without the keys that it has more than once."""
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return frame.iloc[:, list(frame.columns).index(name)].tolist()


def _names(text: str, separator: str) -> list[str]:
    frame = pd.read_csv(io.StringIO(text, newline=""), sep=separator, dtype=str, nrows=0, index_col=False)
    return list(frame.columns)
