"""Texts without labels, to learn from and to answer."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raykd.errors import UserError
from raykd.listing import read_rows
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.texts import read_inputs, read_texts

TEXTS = ["one, two", 'she said "hi"', "größe 💀", "four"]
QUOTED = ["text,label", *('"' + text.replace('"', '""') + '",x' for text in TEXTS)]
FORMS = {
    "a.csv": "\n".join(QUOTED).encode(),
    "a.CSV": "\r\n".join(QUOTED).encode(),
    "a.csv.gz": gzip.compress("\n".join(QUOTED).encode()),
    "a.tsv": "\n".join(line.replace('",', '"\t').replace("t,l", "t\tl") for line in QUOTED).encode(),
    "a.jsonl": "\n".join(json.dumps({"id": 1, "text": text}) for text in TEXTS).encode(),
    "a.json": json.dumps([{"text": text} for text in TEXTS]).encode(),
    "a.txt": "\n".join(TEXTS).encode(),
    "a.txt.gz": gzip.compress("\n".join(TEXTS).encode()),
    "corpus": "\n".join(TEXTS).encode(),
    "a.md": "\n".join(TEXTS).encode(),
}


def tables(folder: Path) -> list[Path]:
    """The texts in every form that holds them."""
    import datasets

    for name, content in FORMS.items():
        (folder / name).write_bytes(content)
    pq.write_table(pa.table({"text": TEXTS}), folder / "a.parquet")
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk(str(folder / "saved"))
    return [folder / name for name in (*FORMS, "a.parquet", "saved")]


def test_every_form_reads_to_the_same_texts(tmp_path: Path) -> None:
    for path in tables(tmp_path):
        assert [row[0] for row in read_texts(path, ("text",)).rows] == TEXTS, path
        assert [row[0] for row in read_texts(path, ("text",), most=2).rows] == TEXTS[:2], path
        if path.is_file():
            assert [row[0] for row in read_inputs(path, ("text",)).rows] == TEXTS, path
            assert [row[0] for row in read_rows(path, 1, ("text",))] == TEXTS, path


def test_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("\ufeffone two\n\n  three\tfour \nfive\n", encoding="utf-8")
    texts = read_texts(str(file), 1)
    assert texts.rows == (("one two",), ("three\tfour",), ("five",))
    assert texts.notes == (
        f"1 row of {file} blank, left out (line 2)",
        f"a tab in 1 row of {file} is part of the text (a table wants a name in .tsv)",
    )
    assert read_texts(str(file), 1, most=2).rows == (("one two",), ("three\tfour",))


def test_files_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(f"{name}1\t{name}2\n")
    (tmp_path / "c.md").write_text("no")
    (tmp_path / "labels.csv").write_text("x,y\n1,2\n")
    assert read_texts(str(tmp_path), 2).rows == (("a1", "a2"), ("b1", "b2"))


def test_tables_of_a_folder_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"text": "b"}\n')
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "README.md").write_text("no")
    assert read_texts(tmp_path, ("text",)).rows == (("a",), ("b",))


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a\tb\nc\n", 2, "line 2: 2 texts separated by tabs are wanted, found 1"),
        ("a\t\n", 2, "line 1: 2 texts"),
        ("a\tb\tc\n", 2, "line 1: 2 texts separated by tabs are wanted, found 3"),
        ("\n \n", 1, "holds no text"),
        ("a\nb\x00c\n", 1, "line 2: a NUL character"),
        (b"\xff\xfe\x00", 1, "is not UTF-8: it begins with the mark of UTF-16: say --encoding utf-16"),
        (b"a\nb\ncaf\xe9\n", 1, "line 3: byte 0xe9 is not UTF-8"),
        (b"\x1f\x8b\x08", 1, "a gzip file: call it t.txt.gz"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str | bytes, columns: int, message: str) -> None:
    file = tmp_path / "t.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_texts(str(file), columns)


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        read_texts(str(tmp_path / "none.txt"), 1)
    with pytest.raises(UserError, match=r"holds no \.txt file, and no \.csv"):
        read_texts(str(tmp_path), 1)
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="a spreadsheet: save it as CSV"):
        read_texts(str(tmp_path / "a.xlsx"), 1)


def test_rows_of_a_table_that_hold_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a"}\n{"text": " "}\n{"text": null}\n{"text": "b"}\n')
    texts = read_texts(file, ("text",))
    assert texts.rows == (("a",), ("b",))
    assert texts.notes == (f"2 rows of {file} with an empty text left out",)
    assert read_inputs(file, ("text",)).rows == (("a",), (" ",), ("",), ("b",))  # each wants an answer
    file.write_text('{"text": "a"}\n{"text": ["b"]}\n{"text": 5}\n')
    for read in (read_texts, read_inputs):
        with pytest.raises(UserError, match=r"2 of 3 rows cannot be used: 1 with a list .*\(line 2\); 1 with a number"):
            read(file, ("text",))
    assert read_texts(file, ("text",), options=ReadOptions(drop_bad_rows=True)).rows == (("a",),)


def test_columns_by_name_or_else_in_order(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,hypothesis,premise\n1,h one,p one\n2,h two,p two\n")
    assert read_inputs(file, ("premise", "hypothesis")).rows == (("p one", "h one"), ("p two", "h two"))
    with pytest.raises(
        UserError, match=r"has 3 columns \(id, hypothesis, premise\), none of them called a, b: say which"
    ):
        read_inputs(file, ("a", "b"))
    with pytest.raises(UserError, match=r"has no column 'text': \(present: id, hypothesis, premise\)"):
        read_inputs(file, ("premise", "text"))
    file.write_text("sentence\na text of words\nanother one\n")
    texts = read_inputs(file, ("text",))
    assert texts.rows == (("a text of words",), ("another one",))
    assert "its 1 (sentence) taken in order, its first line as a header" in texts.notes[0]
    for first in ("a first text", "first"):
        file.write_text(f"{first}\nshort\nwords\n")
        texts = read_inputs(file, ("text",))
        assert texts.rows == ((first,), ("short",), ("words",))
        assert "its first line as a row, not as a header" in texts.notes[0]
    (tmp_path / "a.jsonl").write_text('{"review": "a"}\n')
    assert read_inputs(tmp_path / "a.jsonl", 1).rows == (("a",),)


def test_rows_to_answer_are_as_many_as_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b" one \n\ntwo\r\n  \nthree")
    assert read_rows(file, 1) == [[" one "], [""], ["two"], ["  "], ["three"]]
    file.write_bytes(b"a\tb\n\nc\td\n\t\n")
    assert read_rows(file, 2) == [["a", "b"], ["", ""], ["c", "d"], ["", ""]]
    with pytest.raises(
        UserError, match=r"a\.txt, line 1: one text is wanted, found 2 \(2 such lines\)\. A table wants"
    ):
        read_rows(file, 1)
    assert read_rows(file) == [["a", "b"], ["", ""], ["c", "d"], ["", ""]]
    file.write_bytes(b"a\tb\nc\n")
    with pytest.raises(UserError, match=r"line 2: 2 texts separated by tabs are wanted, found 1$"):
        read_rows(file, 2)
    assert capsys.readouterr().err == ""
    (tmp_path / "a.csv").write_text("sentence,x\nlong text,1\n")
    with pytest.raises(UserError, match="none of them called text: say which by --text-columns"):
        read_rows(tmp_path / "a.csv")
    assert read_rows(tmp_path / "a.csv", 1, ("sentence",)) == [["long text"]]
    (tmp_path / "a.csv").write_text("sentence\nlong text\n")
    assert read_rows(tmp_path / "a.csv", 1) == [["long text"]]
    assert capsys.readouterr().err.startswith("note: ")
    with pytest.raises(UserError, match="no such file"):
        read_rows(tmp_path / "none.txt")


def test_standard_input_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(content: bytes, encoding: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding))

    for encoding in ("utf-8", "ascii", "latin-1"):
        feed("größe 💀\r\n\nzwei\n".encode(), encoding)
        assert read_rows(None, 1) == [["größe 💀"], [""], ["zwei"]]
    feed("café\n".encode("latin-1"), "utf-8")
    with pytest.raises(UserError, match="the input, line 1: byte 0xe9 is not UTF-8"):
        read_rows(None, 1)
    feed("café\n".encode("latin-1"), "utf-8")
    assert read_rows(None, 1, (), ReadOptions(encoding="latin-1")) == [["café"]]
    feed("a\u2028b\x85c\n".encode(), "utf-8")
    assert read_rows(None, 1) == [["a\u2028b\x85c"]]
    feed(b"a\tb\nc\n", "utf-8")
    with pytest.raises(UserError, match="the input, line 2: 2 texts"):
        read_rows(None)


def test_the_case_of_a_table_with_labels(shared: Path) -> None:
    table = shared / "cases" / "predict_tsv" / "pandas.tsv"
    inputs = read_rows(table, 1, ("text",))
    assert len(inputs) == 400
    assert inputs[1] == ['He said "script actor funny warm superb story plot 1"']
    assert read_rows(shared / "cases" / "ascii_stdout" / "emoji.csv", 1, ("text",))[0][0].endswith("0 💀é中文")
