"""Separators that are not the expected ones, rows with another number of cells, files without a header."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.reading import read, refused, rows, write

LINES = ["text,label", *(f"row number {i},{('neg', 'pos')[i % 2]}" for i in range(12))]


def joined(separator: str, lines: list[str] = LINES) -> str:
    return "\n".join(line.replace(",", separator) for line in lines) + "\n"


@pytest.mark.parametrize(
    ("name", "separator", "word"),
    [
        ("a.csv", ";", "semicolon"),
        ("a.csv", "\t", "tab"),
        ("a.csv", "|", "pipe"),
        ("a.tsv", ",", "comma"),
        ("a.tsv", ";", "semicolon"),
    ],
)
def test_another_separator_is_said_and_offered(tmp_path: Path, name: str, separator: str, word: str) -> None:
    file = write(tmp_path / name, joined(separator))
    said = refused(file)
    assert f"its columns are separated by {'tab' if word == 'tab' else repr(separator)}, not by" in said
    assert said.endswith(f"say --separator {word}")
    assert rows(read(file, separator=word)) == rows(read(file, separator=separator))
    assert rows(read(file, separator=word))[3] == ("row number 3", "pos")


@pytest.mark.parametrize("header", ['"text";"label"', "id;text;label;more", "text ; label"])
def test_the_separator_is_found_in_headers_of_every_kind(tmp_path: Path, header: str) -> None:
    said = refused(write(tmp_path / "a.csv", header + "\n" + "a;b;c;d\n" * 5))
    assert "separated by ';', not by ','" in said


def test_excels_first_line_names_the_separator(tmp_path: Path) -> None:
    for first, separator in (("sep=;", ";"), ("SEP=|", "|"), ('"sep=\t"', "\t"), ("sep=,", ",")):
        file = write(tmp_path / "a.csv", first + "\r\n" + joined(separator))
        assert rows(read(file))[0] == ("row number 0", "neg")
    said = refused(write(file, "sep=;\n" + joined(";") + "too;many;cells\n"))
    assert "(line 15)" in said
    assert "its first line says that ';' separates cells, --separator says '|'" in refused(file, separator="pipe")


def test_separators_that_cannot_be(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", joined(","))
    for separator in ("", ";;", '"', "\n", "semi"):
        assert f"separator {separator!r}: one character such as ';', or one of tab, comma" in refused(
            file, separator=separator
        )
    assert len(read(file, separator="COMMA").train) == 12
    assert len(read(write(file, joined("\t")), separator="\\t").train) == 12


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["a,b,pos"], "1 of 13 rows cannot be used: 1 with 3 cells instead of 2 (line 14)"),
        (["alone"], "1 of 13 rows cannot be used: 1 with 1 cell instead of 2 (line 14)"),
        (["a,b,c", "alone", "a,b,c"], "2 with 3 cells instead of 2 (lines 14, 16); 1 with 1 cell instead of 2"),
        (["x,y,z"] * 7, "7 with 3 cells instead of 2 (lines 14, 15, 16, 17, 18, ...)"),
        (["a,b,c", "fine,", "w,pos"], "1 with 3 cells instead of 2 (line 14); 1 with no label in column 'label' "),
    ],
)  # fmt: skip
def test_rows_with_other_numbers_of_cells_are_refused_in_one_message(
    tmp_path: Path, extra: list[str], said: str
) -> None:
    heard = refused(write(tmp_path / "a.csv", "\n".join([*LINES, *extra])))
    assert said in heard
    assert "--drop-bad-rows" in heard
    assert len(heard.splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        "text,label\n" + "w1 w2,pos,\n" * 6,  # a separator at the end of each row: pandas shifts the columns
        "label\n" + "w1 w2,pos\n" * 6,
        joined(";", ["text,label", "a,b"]) + joined(",", LINES[1:]),
    ],
)
def test_where_most_rows_differ_it_is_the_file_that_is_written_otherwise(tmp_path: Path, content: str) -> None:
    file = write(tmp_path / "a.csv", content)
    said = refused(file)
    assert "is the first line the header" in said or "has no column" in said or "separated by" in said


def test_blank_lines_and_lines_of_spaces_are_no_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "\n" + joined(",").replace("row number 5", "\n\n   \nrow number 5") + "\n  \n\n")
    assert len(read(file).train) == 12
    said = refused(write(file, "text,label\n\nw,pos\n\nw,neg\nbad\n"))
    assert "1 with 1 cell instead of 2 (line 6)" in said  # blank lines count as lines


def test_a_header_that_is_not_there(tmp_path: Path) -> None:
    said = refused(write(tmp_path / "a.csv", "\n".join(LINES[1:])))
    assert "has no column 'text': (present: row number 0, neg)" in said
    assert "has no column 'label'" in said


def test_line_ends_of_every_system_and_a_mark_at_the_start(tmp_path: Path) -> None:
    wanted = rows(read(write(tmp_path / "a.csv", joined(","))))
    for end in ("\r\n", "\r", "\n"):
        for mark in ("", "\ufeff"):
            content = mark + joined(",").replace("\n", end)
            assert rows(read(write(tmp_path / "b.csv", content))) == wanted
            assert rows(read(write(tmp_path / "b.tsv", content.replace(",", "\t")))) == wanted


def test_a_header_that_comes_again_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in files that were put one after another, a mark at the start of each."""
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    for again in ("text,label", "\ufefftext,label", " text ,label"):
        file = write(tmp_path / "a.csv", joined(",") + joined(",", [again, *LINES[1:]]))
        assert "1 of 25 rows cannot be used: 1 with the header's names again (line 14)" in refused(file)
        assert len(read(file, drop_bad_rows=True).train) == 24
    assert len(read(write(tmp_path / "a.csv", "\ufeff\ufeff" + joined(","))).train) == 12


def test_cells_that_hold_the_separator_and_are_not_quoted(tmp_path: Path) -> None:
    lines = [f"a text{', and more' * (i % 4)}, in all,{('neg', 'pos')[i % 2]}" for i in range(12)]
    said = refused(write(tmp_path / "a.csv", "\n".join(["text,label", *lines])))
    assert "12 of 12 rows have another number of cells than 2" in said
    assert "Do cells that hold the separator stand within quotation marks?" in said
