"""Texts without labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.tasks.texts import read_texts


def test_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("\ufeffone two\n\n  three\tfour \nfive\n", encoding="utf-8")
    assert read_texts(str(file), 1).rows == (("one two",), ("three\tfour",), ("five",))
    assert read_texts(str(file), 1, most=2).rows == (("one two",), ("three\tfour",))


def test_files_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(f"{name}1\t{name}2\n")
    (tmp_path / "c.md").write_text("no")
    assert read_texts(str(tmp_path), 2).rows == (("a1", "a2"), ("b1", "b2"))


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a\tb\nc\n", 2, "line 2: 2 texts separated by tabs are wanted, found 1"),
        ("a\t\n", 2, "line 1: 2 texts"),
        ("\n \n", 1, "holds no text"),
        (b"\xff\xfe\x00", 1, "is not UTF-8: it begins with the mark of UTF-16: say --encoding utf-16"),
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
    with pytest.raises(UserError, match=r"holds no \.txt file"):
        read_texts(str(tmp_path), 1)
