"""Rows that cannot be used: one message for all of them, or left out, counted, and listed in a file."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raykd.errors import UserError
from raykd.tasks.data import Columns
from raykd.tasks.load import ReadOptions, load
from tests.tasks.reading import read, refused, rows, write

SOUND = [{"text": f"row number {i}", "label": ("neg", "pos")[i % 2]} for i in range(20)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own; it is made only where rows are listed."""
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def lines(path: Path, odd: list[str]) -> Path:
    return write(path, "\n".join([*map(json.dumps, SOUND[:10]), *odd, *map(json.dumps, SOUND[10:])]) + "\n")


JSON = [
    ('{"text": "w", "label": null}', "1 with no label in column 'label' (line 11)"),
    ('{"text": "w", "label": NaN}', "1 with no label in column 'label' (line 11)"),
    ('{"text": "w", "label": ""}', "1 with no label in column 'label' (line 11)"),
    ('{"text": "w", "label": "  "}', "1 with no label in column 'label' (line 11)"),
    ('{"text": "w", "label": "nan"}', "1 with no label in column 'label': 'nan' (line 11)"),
    ('{"text": "w", "label": "<NA>"}', "1 with no label in column 'label': '<NA>' (line 11)"),
    ('{"text": "w", "label": "None"}', "1 with no label in column 'label': 'None' (line 11)"),
    ('{"text": "w", "label": "null"}', "1 with no label in column 'label': 'null' (line 11)"),
    ('{"text": "w", "label": ["pos"]}', "1 with a list in column 'label' (line 11)"),
    ('{"text": "w", "label": {"a": 1}}', "1 with an object in column 'label' (line 11)"),
    ('{"text": "w", "label": "a\\nb"}', "1 with a line break in column 'label' (line 11)"),
    ('{"text": ["w"], "label": "pos"}', "1 with a list instead of a text in column 'text' (line 11)"),
    ('{"text": {"a": "w"}, "label": "pos"}', "1 with an object instead of a text in column 'text' (line 11)"),
    ('{"text": 5, "label": "pos"}', "1 with a number instead of a text in column 'text' (line 11)"),
    ('{"text": 5.5, "label": "pos"}', "1 with a number instead of a text in column 'text' (line 11)"),
    ('{"text": true, "label": "pos"}', "1 with true or false instead of a text in column 'text' (line 11)"),
    ('{"text": "a\\u0000b", "label": "pos"}', "1 with a NUL character in column 'text' (line 11)"),
    ('{"text": "w"}', "1 with no 'label' (line 11)"),
    ('{"text": "w", "text": "v", "label": "pos"}', "1 with 'text' more than once (line 11)"),
]


@pytest.mark.parametrize(("line", "said"), JSON)
def test_a_row_of_json(tmp_path: Path, home: Path, line: str, said: str) -> None:
    file = lines(tmp_path / "a.jsonl", [line])
    assert f"1 of 21 rows cannot be used: {said}. Mend them, or say --drop-bad-rows" in refused(file)
    assert not home.exists()
    data = read(file, drop_bad_rows=True)
    assert rows(data) == [(row["text"], row["label"]) for row in SOUND]
    note = next(note for note in data.notes if "dropped" in note)
    assert note.startswith(f"1 of 21 rows of {file} dropped: {said}; listed in {home / 'dropped'}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("w,", "1 with no label in column 'label' (line 12)"),
        ('w,""', "1 with no label in column 'label' (line 12)"),
        ("w,NaN", "1 with no label in column 'label': 'NaN' (line 12)"),
        ("w,#N/A", "1 with no label in column 'label': '#N/A' (line 12)"),
        ("w,\\N", "1 with no label in column 'label': '\\N' (line 12)"),
        ("w,pos,3", "1 with 3 cells instead of 2 (line 12)"),
        ("w", "1 with 1 cell instead of 2 (line 12)"),
        ("a\x00b,pos", "1 with a NUL character in column 'text' (line 12)"),
    ],
)
def test_a_row_of_csv(tmp_path: Path, line: str, said: str) -> None:
    sound = [f"{row['text']},{row['label']}" for row in SOUND]
    file = write(tmp_path / "a.csv", "\n".join(["text,label", *sound[:10], line, *sound[10:]]))
    heard = refused(file)
    assert f"1 of 21 rows cannot be used: {said}. Mend them" in heard or "a NUL character" in heard
    if "\x00" not in line:
        assert rows(read(file, drop_bad_rows=True)) == [(row["text"], row["label"]) for row in SOUND]


def test_all_faults_of_all_files_in_one_message_each(tmp_path: Path) -> None:
    train = lines(tmp_path / "train.jsonl", [line for line, _ in JSON])
    dev = lines(tmp_path / "dev.jsonl", ['{"text": "w", "label": "other"}'] * 7)
    with pytest.raises(UserError) as caught:
        load("custom", str(train), columns=Columns(("text",), "label"), dev_file=str(dev))
    first, second = caught.value.problems
    assert f"{len(JSON)} of {20 + len(JSON)} rows cannot be used" in first
    assert all(said.split(" (line")[0].split(": '")[0][2:] in first for _, said in JSON)
    unknown = "7 with an unknown value in column 'label' (allowed: neg, pos): 'other' (lines 11, 12, 13, 14, 15, ...)"
    assert unknown in second


def test_what_is_dropped_is_listed_with_its_line_and_reason(tmp_path: Path, home: Path) -> None:
    odd = ['{"text": "a", "label": null}', '{"text": [1], "label": "pos"}', '{"text": " ", "label": "pos"}', '{"x": 1}']
    file = lines(tmp_path / "my rows.v2.jsonl", odd)
    data = read(file, drop_bad_rows=True)
    path = Path(next(re.search(r"listed in (.*)", note)[1] for note in data.notes if "listed" in note))  # type: ignore[index]
    assert path.parent == home / "dropped"
    assert re.fullmatch(r"my-rows-[0-9a-f]{12}\.jsonl", path.name)
    about, *listed = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert about == {"file": str(file)}
    assert [(row["line"], row["reason"]) for row in listed] == [
        (11, "no label in column 'label'"),
        (12, "a list instead of a text in column 'text'"),
        (13, "an empty text"),
        (14, "no 'text'"),
    ]
    assert listed[1]["row"] == {"text": [1], "label": "pos"}
    assert listed[3]["row"] == {"x": 1}
    read(file, drop_bad_rows=True)
    assert list((home / "dropped").iterdir()) == [path]  # of the same rows one list is kept


def test_empty_texts_are_dropped_and_counted_with_their_lines(tmp_path: Path, home: Path) -> None:
    file = lines(tmp_path / "a.jsonl", ['{"text": "", "label": "x"}', '{"text": null, "label": null}'])
    data = read(file)
    assert f"2 rows of {file} with an empty text dropped (lines 11, 12)" in data.notes
    assert data.task.labels == ("neg", "pos")
    assert not home.exists()


def test_a_column_that_is_wrong_is_named_as_a_column(tmp_path: Path) -> None:
    cases = {
        '{"text": ["a", "b"], "label": "pos"}\n': "have a list instead of a text in column 'text': one text a row",
        '{"text": "a", "label": ["pos"]}\n': "have a list in column 'label': one label a row is wanted",
        '{"text": "a", "label": [0, 1, 0]}\n': "have a list in column 'label': one label a row is wanted",
        '{"text": "a", "label": {"x": 1}}\n': "have an object in column 'label': one label a row is wanted",
        '{"text": 12, "label": "pos"}\n': "have a number instead of a text in column 'text': is it the right column?",
    }
    for line, said in cases.items():
        for drop in (False, True):
            assert f"30 of 30 rows {said}" in refused(write(tmp_path / "a.jsonl", line * 30), drop_bad_rows=drop)


def test_types_of_parquet_that_are_no_text_and_no_label(tmp_path: Path) -> None:
    from datetime import date, datetime, timedelta

    n = 12
    texts, labels = [f"row {i}" for i in range(n)], ["neg", "pos"] * (n // 2)
    cases = {
        "lists or objects": [["a"]] * n,
        "lists or objects (": [{"a": 1}] * n,
        "dates or times": [date(2020, 1, 1)] * n,
        "dates or times (": [datetime(2020, 1, 1)] * n,
        "dates or times (d": [timedelta(1)] * n,
    }
    for said, column in cases.items():
        pq.write_table(pa.table({"text": texts, "label": column}), tmp_path / "a.parquet")
        assert f"column 'label' holds {said}" in refused(tmp_path / "a.parquet")
        pq.write_table(pa.table({"text": column, "label": labels}), tmp_path / "a.parquet")
        assert f"column 'text' holds {said}" in refused(tmp_path / "a.parquet")
    for column in ([1] * n, [0.5] * n, [True] * n):
        pq.write_table(pa.table({"text": column, "label": labels}), tmp_path / "a.parquet")
        assert "column 'text' holds numbers" in refused(tmp_path / "a.parquet")


def test_bytes_are_text_where_they_are_utf_8(tmp_path: Path) -> None:
    texts = ["poor", "größe", "中文 💀", "x", "y", "z"]
    for kind in (pa.binary(), pa.large_binary()):
        table = pa.table({"text": pa.array([t.encode() for t in texts], kind), "label": [b"neg", b"pos"] * 3})
        pq.write_table(table, tmp_path / "a.parquet")
        data = read(tmp_path / "a.parquet")
        assert [text for text, _ in rows(data)] == texts
        assert data.task.labels == ("neg", "pos")
        assert any("column 'text' of" in note and "holds bytes: read as UTF-8" in note for note in data.notes)
    bad = pa.table({"text": [t.encode() for t in texts[:5]] + [b"caf\xe9"], "label": ["neg", "pos"] * 3})
    pq.write_table(bad, tmp_path / "a.parquet")
    assert "1 with bytes that are not UTF-8 in column 'text' (row 6)" in refused(tmp_path / "a.parquet")
    assert len(read(tmp_path / "a.parquet", drop_bad_rows=True).train) == 5


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([True, False] * 4), ("0", "1")),
        (pa.array([1.0, 0.0] * 4), ("0", "1")),
        (pa.array([1, 0] * 4, pa.uint8()), ("0", "1")),
        (pa.array([1.0, 0.0] * 4, pa.float32()), ("0", "1")),
        (pa.array(["b", "a"] * 4).dictionary_encode(), ("a", "b")),
        (pa.array(["b", "a"] * 4, pa.large_string()), ("a", "b")),
        (pa.array([Decimal("2.00"), Decimal("1.00")] * 4), ("1", "2")),
        (pa.array([1.5, 2.5] * 4), ("1.5", "2.5")),
    ],
)
def test_types_of_parquet_that_are_labels(tmp_path: Path, labels: pa.Array, classes: tuple[str, ...]) -> None:
    table = pa.table({"text": pa.array([f"row {i}" for i in range(8)]).dictionary_encode(), "label": labels})
    pq.write_table(table, tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet")
    assert data.task.labels == classes
    assert data.train.labels[:2] == (1, 0) or classes == ("1.5", "2.5")


def test_missing_values_of_parquet(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    texts = [f"row {i}" for i in range(12)]
    for labels in ([1.0, 0.0, np.nan] * 4, [1, 0, None] * 4, ["a", "b", None] * 4):
        pd.DataFrame({"text": texts, "label": labels}).to_parquet(tmp_path / "a.parquet")
        said = refused(tmp_path / "a.parquet")
        assert "4 of 12 rows cannot be used: 4 with no label in column 'label' (rows 3, 6, 9, 12)" in said
        assert len(read(tmp_path / "a.parquet", drop_bad_rows=True).train) == 8
    for name in ("a.csv", "a.jsonl"):
        frame = pd.DataFrame({"text": texts, "label": [1.0, 0.0, np.nan] * 4})
        path = tmp_path / name
        frame.to_csv(path, index=False) if name == "a.csv" else frame.to_json(path, orient="records", lines=True)
        assert "4 with no label in column 'label'" in refused(path)
        assert read(path, drop_bad_rows=True).task.labels == ("0", "1")


def test_nothing_is_left(tmp_path: Path) -> None:
    for line in ("w,,", ",pos"):
        content = "text,label\n" + f"{line}\n" * 4
        said = refused(write(tmp_path / "a.csv", content), drop_bad_rows=True)
        assert "no row is left" in said or "3 cells instead of 2" in said


def test_glue_and_named_tasks_drop_rows_too(tmp_path: Path) -> None:
    content = "sentence,label\n" + "good,1\nbad,0\n" * 5 + "odd,7\n"
    file = str(write(tmp_path / "a.csv", content))
    with pytest.raises(UserError, match=r"1 with an unknown value .*\(allowed: negative, positive, 0, 1\): '7'"):
        load("sst2", file, dev_file=file)
    data = load("sst2", file, dev_file=file, options=ReadOptions(drop_bad_rows=True))
    assert (len(data.train), len(data.dev["dev"])) == (10, 10)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{}", "is a number: is it the right column?"),
        ("-{}.5", "is a number"),
        ("\"b'poor {}'\"", "reads as Python's bytes (b'...')"),
        ("\"['poor', 'dire {}']\"", "reads as a list: join its words"),
        ("'poor dire {}'", "stands within single quotation marks, which are kept"),
    ],
)
def test_texts_that_some_tool_wrote_as_text_are_said(tmp_path: Path, cell: str, said: str) -> None:
    lines = [f"{cell.format(i)},{('neg', 'pos')[i % 2]}" for i in range(9)]
    data = read(write(tmp_path / "a.csv", "\n".join(["text,label", *lines])))
    assert any(f"every text in column 'text' of {tmp_path / 'a.csv'} {said}" in note for note in data.notes)
    data = read(write(tmp_path / "a.csv", "\n".join(["text,label", *lines, "a text,pos"])))
    assert not any("every text" in note for note in data.notes)


@pytest.mark.parametrize("labels", [("['a']", "['b']"), ("['a', 'b']", "[]"), ("{0}", "{1}"), ("[0, 1]", "[1, 0]")])
def test_labels_that_read_as_lists_are_refused(tmp_path: Path, labels: tuple[str, str]) -> None:
    lines = [f'row {i},"{labels[i % 2]}"' for i in range(10)]
    file = write(tmp_path / "a.csv", "\n".join(["text,label", *lines]))
    assert "read as lists" in refused(file)
    assert set(read(file, labels="classes").task.labels) == set(labels)


def test_a_class_of_one_row_is_named(tmp_path: Path) -> None:
    lines = [f"row {i},{('neg', 'pos')[i % 2]}" for i in range(10)]
    data = read(write(tmp_path / "a.csv", "\n".join(["text,label", *lines, "row,postive"])))
    assert "of 11 rows only one is of class 'postive'" in data.notes
