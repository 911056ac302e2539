"""Files of rows as people's tools write them, well and badly: quoting, encodings, types, duplicates, spellings."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from raykd.tasks.read_options import SEPARATORS, ReadOptions
from tests.fuzz.base import OWN
from tests.fuzz.case import Case
from tests.fuzz.independent import File
from tests.fuzz.values import damaged

TEXTS = (
    *("w1 w2", "w3", "a, b", 'he said "hi"', '"quoted"', '"', '5" disk', 'ends 6"', "two\nlines", "a\r\nb", "a\tb"),
    *(
        " spaces ",
        "",
        " ",
        "NA",
        "null",
        "12",
        "1.5",
        "größe",
        "💀 中文",
        "back\\slash",
        '\\"escaped\\"',
        "x;y|z",
        "'s'",
    ),
    *("\u2028", "\ufeffmark", "it,s,no\nw1,yes", "w,yes\nw,no\nw", "#comment", "\\N", "a\x00b", "sep=;", "\x85"),
)
ODD_TEXTS: tuple[Any, ...] = (None, 5, 1.5, True, ["w1", "w2"], {"a": 1}, float("nan"), b"bytes", b"caf\xe9")
SCHEMES: tuple[tuple[Any, ...], ...] = (
    *(("no", "yes"), ("no", "yes"), ("no", "yes"), ("neg", "pos", "neutral"), ("0", "1"), ("0.0", "1.0"), (0, 1)),
    *((0.0, 1.0), (True, False), ("1", "2", "10"), ("größe", "klein"), tuple(f"{i / 4}" for i in range(12))),
    *(("none", "mild", "severe"), tuple(i / 4 for i in range(12)), ("01", "02"), (1, 2.5), ("yes", "no", "maybe")),
    *(tuple(f"{i}.{j}" for i in (1, 2) for j in (1, 10, 2, 20)), ("C", "C-", "C+"), tuple(f"{i}" for i in range(12))),
    (b"no", b"yes"),
)  # fmt: skip
ODD_LABELS: tuple[Any, ...] = (
    *("No", "NO", " no", "yes ", "Yes", "no\u200b", "0", "0.0", "1", "1.0", "1.", "01", "true", "True", "inf", "1e0"),
    *(None, "", " ", "nan", "NaN", "None", "null", "NA", "<NA>", "N/A", float("nan"), float("inf"), ["no"], {"a": 1}),
    *([], True, 0, 1, 1.5, "no\nyes", "1,5", "1.10", "1_0", "\uff11", "no\u00a0", 10**20, "no,yes"),
)
ENCODINGS = (*(None,) * 8, "latin-1", "cp1252", "utf-16", "utf-8")
ENDS = ("\n", "\n", "\n", "\r\n", "\r")


@st.composite
def _rows(draw: st.DrawFn) -> list[tuple[Any, Any]]:
    scheme = draw(st.sampled_from(SCHEMES))
    count = draw(st.integers(2, 24))
    rows: list[tuple[Any, Any]] = [(f"w{i} w{i % 5}", scheme[i % len(scheme)]) for i in range(count)]
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, count - 1))
        rows[at] = (draw(st.sampled_from(TEXTS)), rows[at][1])
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2, 6]))):
        at = draw(st.integers(0, count - 1))
        rows[at] = (rows[at][0], draw(st.sampled_from(ODD_LABELS)))
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(0, count - 1))
        rows[at] = (draw(st.sampled_from(ODD_TEXTS)), rows[at][1])
    return rows


@st.composite
def _delimited(draw: st.DrawFn, rows: list[tuple[Any, Any]], separator: str) -> tuple[str, int | None]:
    """The rows as a CSV or TSV: by a writer that quotes, by one that does not, or by one that escapes.

    And how many rows whoever reads it rightly sees, where that is certain.
    """
    how = draw(st.sampled_from(["minimal"] * 4 + ["all", "naive", "escape", "stray"]))
    if how == "stray":
        rows = [(text if isinstance(text, str) and text[:1] == "w" else "w", label) for text, label in rows]
        rows = [(re.sub(r"\W+", " ", text), re.sub(r"\W+", "", _cell(label)) or "no") for text, label in rows]
    header = draw(
        st.sampled_from(
            [["text", "label"]] * 6 + [["text", " label"], ["text", "label", "label"], ["Text", "label"],
                                       ["text", "label", "id", "id"], ["", "text", "label"], ["label", "text"]]
        )
    )  # fmt: skip
    cells = [dict(zip(("text", "label"), row, strict=True)) for row in rows]
    lines = [header] + [[_cell(row.get(name.strip().lower(), "7")) for name in header] for row in cells]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(1, len(lines) - 1))
        lines[at] = draw(st.sampled_from([lines[at][:-1], [*lines[at], "more"], [], [" "], [*lines[at], ""]]))
    wanted = [name.strip() in ("text", "label") for name in header]
    count = sum(any(cell.strip() for cell, used in zip(line, wanted, strict=False) if used) for line in lines[1:])
    end = draw(st.sampled_from(ENDS))
    if how in ("naive", "stray"):
        text = end.join(separator.join(line) for line in lines) + end
        for _ in range(draw(st.integers(1, 3)) if how == "stray" else 0):
            places = [at for at, letter in enumerate(text) if letter in (separator, "\n", "w")]
            at = draw(st.sampled_from(places))
            text = text[:at] + '"' + text[at:]
        return text, count if how == "stray" else None
    target = io.StringIO(newline="")
    ways: dict[str, dict[str, Any]] = {
        "minimal": {"quoting": csv.QUOTE_MINIMAL},
        "all": {"quoting": csv.QUOTE_ALL},
        "escape": {"quoting": csv.QUOTE_MINIMAL, "doublequote": False, "escapechar": "\\"},
    }
    csv.writer(target, delimiter=separator, lineterminator=end, **ways[how]).writerows(lines)
    start = draw(st.sampled_from(["", "", "", f"sep={separator}{end}", "\ufeff", end]))
    return start + target.getvalue(), count


def _cell(cell: Any) -> str:
    """As pandas and Python write a value into a text file."""
    return "" if cell is None or cell != cell else cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)


@st.composite
def _json(draw: st.DrawFn, rows: list[tuple[Any, Any]]) -> str:
    def plain(cell: Any) -> Any:
        return cell.decode("latin-1") if isinstance(cell, bytes) else cell

    names = draw(st.sampled_from([("text", "label")] * 5 + [(" text", "label"), ("text", "Label")]))
    ascii_only = draw(st.booleans())
    objects = [
        json.dumps({names[0]: plain(text), names[1]: plain(label)}, ensure_ascii=ascii_only) for text, label in rows
    ]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(objects) - 1))
        odd = [
            '{"text": "w1"}',
            objects[at][:-1] + ', "label": "no"}',
            objects[at][:-1] + ', "id": 1, "id": 2}',
            "5",
            "",
        ]
        objects[at] = draw(st.sampled_from(odd))
    if draw(st.integers(0, 3)) == 0:
        return "[" + ",\n".join(objects) + "]"
    return draw(st.sampled_from(ENDS)).join(objects)


def _parquet(rows: list[tuple[Any, Any]], draw: st.DrawFn) -> bytes:
    columns = []
    for cells in zip(*rows, strict=True):
        try:
            columns.append(pa.array(cells, from_pandas=draw(st.booleans())))
        except (pa.ArrowException, OverflowError, ValueError):
            columns.append(pa.array([None if cell is None else _cell(cell) for cell in cells]))
    names = draw(st.sampled_from([["text", "label"]] * 5 + [["text", "label", "label"], ["text ", "label"]]))
    if draw(st.integers(0, 4)) == 0 and pa.types.is_string(columns[0].type):
        columns[0] = draw(st.sampled_from([columns[0].cast(pa.binary()), columns[0].dictionary_encode()]))
    arrays = [*columns, columns[1]][: len(names)]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), buffer)
    return buffer.getvalue()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A file, flags that say how to read it, rightly or not, and the check that it is read as it is written."""
    rows = draw(_rows())
    kind = draw(st.sampled_from(["csv", "csv", "csv", "tsv", "jsonl", "json", "parquet"]))
    encoding = draw(st.sampled_from(ENCODINGS))
    separator = "\t" if kind == "tsv" else ","
    flag = None
    if kind in ("csv", "tsv") and draw(st.integers(0, 4)) == 0:
        flag = draw(st.sampled_from(["semicolon", "pipe", "tab", "comma"]))
        separator = SEPARATORS[flag]
    count: int | None = None
    if kind == "parquet":
        content = _parquet(rows, draw)
    else:
        text, count = draw(_delimited(rows, separator)) if kind in ("csv", "tsv") else (draw(_json(rows)), None)
        content = text.encode(encoding or "utf-8", "replace")
    if draw(st.integers(0, 9)) == 0:
        content, count = draw(damaged(content)), None
    options = ReadOptions(
        encoding=encoding if draw(st.integers(0, 5)) else None,
        separator=flag if draw(st.integers(0, 5)) else None,
        quoting=draw(st.sampled_from(["csv"] * 5 + ["none"])),
        drop_bad_rows=draw(st.integers(0, 2)) == 0,
        labels=draw(st.sampled_from([None] * 6 + ["classes", "number"])),
    )
    name = f"rows.{kind}"
    flags = {"--encoding": options.encoding, "--separator": options.separator, "--labels": options.labels}
    words = [word for flag, value in flags.items() if value is not None for word in (flag, value)]
    words += ["--drop-bad-rows"] * options.drop_bad_rows + ["--quoting", options.quoting]
    default = "\t" if kind == "tsv" else ","
    file = File(name, options, options.delimiter(default), count)
    command = ("teach", *OWN, "--data", name, "--dev-file", name, *words, "--teacher", "absent")
    return Case(command, {name: content}, check=file.check)
