"""Quoting in CSV and TSV: what is legal is read to the letter, what is not is refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.reading import read, refused, rows, write

HEAD = "text,label\n"
PLAIN = "".join(f"row number {i},{('neg', 'pos')[i % 2]}\n" for i in range(8))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('"he said ""hi"", twice",pos', 'he said "hi", twice'),
        ('"two\nlines, with a comma",pos', "two\nlines, with a comma"),
        ('"Dear all,\n\nbest, Bob\n",pos', "Dear all,\n\nbest, Bob\n"),
        ('a 5" disk and a 3" one,pos', 'a 5" disk and a 3" one'),
        ('a lone inch 5",pos', 'a lone inch 5"'),
        ('he said ""hi"",pos', 'he said ""hi""'),
        ('"""quoted"" at the start",pos', '"quoted" at the start'),
        ('"ends ""quoted""",pos', 'ends "quoted"'),
        ('"crlf\r\ninside",pos', "crlf\r\ninside"),
        (r"a path C:\temp\new,pos", r"a path C:\temp\new"),
        (r'"a regex \d+, \\n",pos', r"a regex \d+, \\n"),
        ("it's 'quoted' singly,pos", "it's 'quoted' singly"),
        ('" spaces kept ",pos', " spaces kept "),
        ("\u2028 and \x85 do not end lines,pos", "\u2028 and \x85 do not end lines"),
        ('"a list:\nflour, 200\nsugar, 100",pos', "a list:\nflour, 200\nsugar, 100"),
        ('"yes,\nno",pos', "yes,\nno"),
        ('"it is good, neg\nno, it is not",pos', "it is good, neg\nno, it is not"),
        ('"so bad, neg\nas can be",pos', "so bad, neg\nas can be"),
        ("w" * 200_000 + ",pos", "w" * 200_000),
    ],
)
def test_what_is_legal_is_read_to_the_letter(tmp_path: Path, line: str, text: str) -> None:
    data = read(write(tmp_path / "a.csv", HEAD + PLAIN + line + "\n" + PLAIN))
    assert len(data.train) == 17
    assert rows(data)[8] == (text, "pos")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"stray at the start,pos', "line 10: malformed quoting: the quotation mark that opens a cell on line 10"),
        ('"closed" too early,pos', "line 10: malformed quoting: on line 10 text stands after the closing quotation"),
        ('"closed" ,pos', "line 10: malformed quoting: on line 10 text"),
        ('"a" "b",pos', "line 10: malformed quoting: on line 10 text"),
        ('fine,"pos', "line 10: malformed quoting: the quotation mark"),
        ('fine,"pos"x', "line 10: malformed quoting: on line 10"),
        ('"two\nlines" and more,pos', "line 10: malformed quoting: on line 11 text stands after the closing quotation"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_what_is_malformed_is_refused_with_the_line(tmp_path: Path, name: str, line: str, said: str) -> None:
    content = HEAD + PLAIN + line + "\n" + PLAIN
    file = write(tmp_path / name, content if name == "a.csv" else content.replace(",", "\t"))
    for drop in (False, True):  # everything after it would be read wrongly, so dropping the row does not help
        assert said in refused(file, drop_bad_rows=drop)


def test_a_mark_that_is_never_closed_and_one_that_another_closes(tmp_path: Path) -> None:
    lines = [f"row number {i},{('neg', 'pos')[i % 2]}" for i in range(100)]
    lines[40] = '"' + lines[40]
    file = write(tmp_path / "a.csv", HEAD + "\n".join(lines) + "\n")
    assert "the quotation mark that opens a cell on line 42 is never closed" in refused(file)
    lines[60] = '"' + lines[60]
    write(file, HEAD + "\n".join(lines) + "\n")
    assert "on line 62 text stands after the closing quotation mark of a cell that begins on line 42" in refused(file)
    assert "--quoting none" in refused(file)
    assert rows(read(file, quoting="none"))[40] == ('"row number 40', "neg")
    assert len(read(file, quoting="none").train) == 100


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("first", [3, 40])
@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("columns", ["text label", "id text label", "label text", "id label text"])
def test_rows_that_a_pair_of_marks_swallows(
    tmp_path: Path, separator: str, first: int, count: int, columns: str
) -> None:
    """The second mark ends a cell, so the parser has nothing to say against it."""
    names = columns.split()
    cells = {"text": "row number {}", "label": "", "id": "{}"}
    lines = []
    for i in range(100):
        row = {name: cell.format(i) for name, cell in cells.items()} | {"label": ("neg", "pos")[i % 2]}
        row["text"] = '"' * (i == first) + row["text"] + ' of 5"' * (i == first + count)
        lines.append(separator.join(row[name] for name in names))
    file = write(tmp_path / "a.csv", "\n".join([separator.join(names), *lines]) + "\n")
    said = refused(file, separator=separator, drop_bad_rows=True)
    assert f"line {first + 2}: a cell within quotation marks goes on to line {first + count + 2}" in said
    assert "--quoting none" in said


def test_rows_with_scores_that_a_pair_of_marks_swallows(tmp_path: Path) -> None:
    lines = [f"row number {i},{i / 7:.4f}" for i in range(100)]
    lines[10], lines[20] = '"' + lines[10], lines[20].replace(",", '",')
    said = refused(write(tmp_path / "a.csv", HEAD + "\n".join(lines)))
    assert "line 12: a cell within quotation marks goes on to line 22" in said


def test_cells_of_several_lines_are_counted(tmp_path: Path) -> None:
    content = HEAD + PLAIN + '"one\ntwo\nthree",pos\n' + '"a\nb",neg\n'
    notes = read(write(tmp_path / "a.csv", content)).notes
    assert f"2 rows of {tmp_path / 'a.csv'} over several lines, the longest 3 from line 10 on" in notes


@pytest.mark.parametrize(
    "line",
    [
        '"he said \\"hi\\" to me",pos',
        '"\\"hi\\", he said",pos',
        '"a \\"b\\" c, \\"d\\"",pos',
        'fine,"po\\"s"',
    ],
)
def test_backslash_escapes_are_named_with_what_to_do(tmp_path: Path, line: str) -> None:
    said = refused(write(tmp_path / "a.csv", HEAD + PLAIN + line + "\n" + PLAIN))
    assert "line 10: malformed quoting" in said
    assert 'It has backslash escapes (\\"), as Spark and MySQL write them' in said


def test_a_tsv_as_pandas_writes_it(tmp_path: Path) -> None:
    import pandas as pd

    texts = ['he said "hi"', "a\ttab", 'all "of" it\nat\tonce', 'inch 5"', "plain", "", '"']
    frame = pd.DataFrame({"text": texts * 4, "label": ["neg", "pos"] * 14})
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    data = read(tmp_path / "a.tsv")
    assert [text for text, _ in rows(data)] == [text for text in texts * 4 if text]
    assert data.notes[1].startswith(f"4 rows of {tmp_path / 'a.tsv'} over several lines")
    assert any("4 rows of" in note and "with an empty text dropped (lines 8" in note for note in data.notes)


def test_a_tsv_whose_quotation_marks_are_plain_characters(tmp_path: Path) -> None:
    plain = PLAIN.replace(",", "\t")
    file = write(tmp_path / "a.tsv", "text\tlabel\n" + plain + '"Hello" he said\tpos\n' + '5" disk\tneg\n' + plain)
    said = refused(file)
    assert "line 10: malformed quoting" in said
    assert "--quoting none (every row has then as many cells as the header)" in said
    data = read(file, quoting="none")
    assert rows(data)[8:10] == [('"Hello" he said', "pos"), ('5" disk', "neg")]


def test_no_quoting_is_not_offered_where_it_does_not_help(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", HEAD + PLAIN + '"closed" early,pos\n"a, b",neg\n')
    assert "--quoting none" not in refused(file)
    assert "1 with 3 cells instead of 2 (line 11)" in refused(file, quoting="none")
