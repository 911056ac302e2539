"""Text files in other encodings: the byte and the line are named, the flag is offered, and read by it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tasks.reading import read, refused, rows, write

TEXTS = ["café", "größe", "naïve", "plain", "señor", "x"]
CSV = "text,label\n" + "".join(f"{text},{('neg', 'pos')[i % 2]}\n" for i, text in enumerate(TEXTS))
LINES = "".join(json.dumps({"text": t, "label": i % 2}, ensure_ascii=False) + "\n" for i, t in enumerate(TEXTS))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "mac-roman", "utf-8"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "csv.gz"])
def test_each_form_in_each_encoding(tmp_path: Path, form: str, encoding: str) -> None:
    content = {"csv": CSV, "tsv": CSV.replace(",", "\t"), "jsonl": LINES, "csv.gz": CSV}.get(form)
    content = content or "[" + ",".join(LINES.splitlines()) + "]"
    binary = content.encode(encoding)
    file = write(tmp_path / f"a.{form}", gzip.compress(binary) if form == "csv.gz" else binary)
    assert [text for text, _ in rows(read(file, encoding=encoding))] == TEXTS
    assert [text for text, _ in rows(read(file, encoding=encoding.upper()))] == TEXTS
    if encoding == "utf-8":
        assert [text for text, _ in rows(read(file))] == TEXTS
    else:
        assert "--encoding" in refused(file)


def test_bytes_that_are_not_utf_8_are_named_with_line_byte_and_flag(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        lines = ["text,label", *(f"plain {i},{i % 2}" for i in range(50)), "au caf\xe9,0", "fin,1"]
        said = refused(write(tmp_path / "a.csv", end.join(lines).encode("latin-1")))
        assert "a.csv, line 52: byte 0xe9 is not UTF-8. In cp1252 this reads" in said
        assert "café,0" in said
        assert said.endswith("if that is right, say --encoding cp1252")
    said = refused(write(tmp_path / "a.csv", b"text,label\nok,1\nbad \x81\xfe,0\n"))
    assert "line 3: byte 0x81 is not UTF-8. In latin-1" in said
    far = b"text,label\n" + b"plain,1\n" * 20_000 + b"caf\xe9,0\n"
    assert "line 20,002" in refused(write(tmp_path / "a.csv", far)).replace("20002", "20,002")


def test_a_mark_at_the_start_decides(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-32"):
        file = write(tmp_path / "a.csv", CSV.encode(encoding))
        assert f"it begins with the mark of {encoding.upper()}: say --encoding {encoding}" in refused(file)
        assert f"not of iso8859-1: say --encoding {encoding}" in refused(file, encoding="latin-1")
    for encoding in ("utf-16-le", "utf-16-be"):
        file = write(tmp_path / "a.csv", CSV.encode(encoding))
        assert f"say --encoding {encoding}" in refused(file)
        marked = write(tmp_path / "b.csv", ("\ufeff" + CSV).encode(encoding))
        assert [text for text, _ in rows(read(marked, encoding=encoding))] == TEXTS
    file = write(tmp_path / "a.csv", "\ufeff" + CSV)
    assert [text for text, _ in rows(read(file))] == TEXTS
    assert [text for text, _ in rows(read(file, encoding="utf-8"))] == TEXTS
    assert "begins with the mark of UTF-8: leave out --encoding latin-1" in refused(file, encoding="latin-1")


def test_an_encoding_that_does_not_fit_or_exist(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "text,label\na\x81,1\n".encode("latin-1"))
    assert "line 2: byte 0x81 is not cp1252" in refused(file, encoding="cp1252")
    assert "is not ascii" in refused(write(file, CSV), encoding="ascii")
    for name in ("latin-99", "base64", "hex", "rot13", "", "x\x00y"):
        assert f"unknown encoding '{name}'" in refused(file, encoding=name)


def test_a_file_in_utf_8_that_is_read_as_something_else_is_said(tmp_path: Path) -> None:
    data = read(write(tmp_path / "a.csv", CSV), encoding="latin-1")
    assert rows(data)[0][0] == "cafÃ©"
    assert any("is sound UTF-8, and read as iso8859-1" in note for note in data.notes)
    data = read(write(tmp_path / "a.csv", CSV.encode("latin-1")), encoding="latin-1")
    assert not any("sound UTF-8" in note for note in data.notes)


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    """Every file is opened with an encoding: with the warning for those that are not switched on, none is given."""
    file = write(tmp_path / "a.csv", CSV)
    code = (
        "from raykd.tasks.load import load, Columns\n"
        f"data = load('custom', {str(file)!r}, columns=Columns(('text',), 'label'), dev_file={str(file)!r})\n"
        "print(ascii(data.train.texts[0][0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", "-c", code],
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == r"'caf\xe9'"


def test_utf_8_that_is_cut_in_a_letter(tmp_path: Path) -> None:
    said = refused(write(tmp_path / "a.csv", CSV.encode() + "é".encode()[:1]))
    assert "line 8: byte 0xc3 is not UTF-8" in said
