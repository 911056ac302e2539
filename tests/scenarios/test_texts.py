"""S24: what odd splits and texts come to: a named error, or a count that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.prepare import prepare
from raykd.tasks.source import Source
from raykd.train.config import Training
from raykd.workspace import here
from tests.test_bad_input import Tell, own

LONG = " ".join(f"w{i % 40}" for i in range(10_000))


def lines_of(count: int) -> list[str]:
    return [f"w{i % 7} w{i % 5} w{i % 3},{('no', 'yes')[i % 2]}" for i in range(count)]


def write(file: Path, lines: list[str]) -> Path:
    file.write_text("text,label\n" + "\n".join(lines) + "\n")
    return file


def prepared(train: Path, dev: Path | None, teacher: Path) -> list[str]:
    """What is said while rows are made ready."""
    said: list[str] = []
    source = Source(str(train), None if dev is None else str(dev), ("text",), "label")
    prepare(source.load("custom"), str(teacher), Training(max_length=16), here(), said.append, "cut:2")
    return said


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher is random, so that it would be refused."""

    def passed(*_: Any) -> None:
        pass

    monkeypatch.setattr("raykd.teacher_checks._check_score", passed)


@pytest.mark.usefixtures("trusting")
def test_a_text_of_10000_tokens_is_cut_and_counted(home: Path, teacher: Path) -> None:
    train = write(home / "train.csv", [*lines_of(40), f"{LONG},yes"])
    dev = write(home / "dev.csv", [*lines_of(20), f"{LONG},no", f"{LONG},yes"])
    said = prepared(train, dev, teacher)
    assert "data: 1 of 41 train rows cut to 16 tokens" in said
    assert "data: 2 of 22 dev rows cut to 16 tokens" in said


@pytest.mark.usefixtures("trusting")
def test_empty_texts_are_dropped_and_counted(home: Path, teacher: Path) -> None:
    train = write(home / "train.csv", [*lines_of(40), ",yes", "   ,no"])
    said = prepared(train, write(home / "dev.csv", lines_of(20)), teacher)
    assert f"data: 2 rows of {train} with an empty text dropped (lines 42, 43)" in said


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], ["holds no rows"]),
        (["w1 w2,yes"] * 30, ["yes"]),
        ([",yes", ",no"] * 15, ["empty text"]),
    ],
    ids=["no rows", "one class", "empty texts alone"],
)
def test_a_split_that_teaches_nothing_is_named(tell: Tell, home: Path, lines: list[str], words: list[str]) -> None:
    file = write(home / "odd.csv", lines) if lines else home / "odd.csv"
    if not lines:
        file.write_text("text,label\n")
    for command in ("tune", "teach", "distill"):
        said = tell(command, *own(file))
        assert str(file) in said
        assert [word for word in words if word not in said] == []


def test_a_dev_split_without_rows_is_named(home: Path, rows: Path) -> None:
    (home / "dev.csv").write_text("text,label\n")
    with pytest.raises(UserError, match=r"dev\.csv holds no rows"):
        Source(str(rows), str(home / "dev.csv"), ("text",), "label").load("custom")
