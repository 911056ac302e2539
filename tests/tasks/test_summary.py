"""Every load says what it read: rows, classes or scores, what was dropped, what comes again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from raykd.tasks.load import load
from tests.tasks.reading import OWN, read, write


def notes(tmp_path: Path, train: Sequence[tuple[str, object]], dev: Sequence[tuple[str, object]]) -> tuple[str, ...]:
    files = []
    for name, part in (("train", train), ("dev", dev)):
        lines = [json.dumps({"text": text, "label": label}) for text, label in part]
        files.append(str(write(tmp_path / f"{name}.jsonl", "\n".join(lines))))
    return load("custom", files[0], columns=OWN, dev_file=files[1]).notes


def test_classes_with_their_rows(tmp_path: Path) -> None:
    said = notes(tmp_path, [(f"t{i}", "abc"[i % 3]) for i in range(10)], [("d1", "a"), ("d2", "b")])
    assert said == (
        "column 'label' holds 3 classes: a, b, c",
        "train: 10 rows: a 4, b 3, c 3",
        "dev: 2 rows: a 1, b 1; no row of c",
    )


def test_many_classes(tmp_path: Path) -> None:
    train = [(f"t{i}", f"c{i % 25:02d}") for i in range(100)]
    said = notes(tmp_path, train, train[:26])
    assert said[1] == "train: 100 rows: " + ", ".join(f"c{i:02d} 4" for i in range(10)) + ", 15 more"
    assert said[2].startswith("dev: 26 rows: c00 2, c01 1, c02 1")


def test_scores(tmp_path: Path) -> None:
    said = notes(tmp_path, [(f"t{i}", i / 4) for i in range(21)], [("d1", 0.5), ("d2", 1.0)])
    assert "train: 21 rows, scores from 0 to 5, mean 2.5" in said
    assert "dev: 2 rows, scores from 0.5 to 1, mean 0.75" in said


def test_texts_that_come_again_within_and_across(tmp_path: Path) -> None:
    train = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "y"), ("c", "x")]
    dev = [("a", "x"), ("c", "y"), ("new", "x"), ("new", "y"), ("b", "y")]
    said = notes(tmp_path, train, dev)
    assert "train: the text of 2 rows stands in an earlier one too, 1 of them with another label" in said
    assert "dev: the text of 3 of 5 rows stands in train too, 1 of them with another label there" in said
    assert not any("too" in note for note in notes(tmp_path, train[:2], [dev[2], ("z", "y")]))


def test_pairs_are_compared_as_pairs(tmp_path: Path) -> None:
    lines = [
        {"sentence1": a, "sentence2": b, "label": i % 2}
        for i, (a, b) in enumerate([("a", "b"), ("b", "a"), ("a", "c"), ("a", "b")])
    ]
    file = str(write(tmp_path / "p.jsonl", "\n".join(map(json.dumps, lines))))
    said = load("rte", file, dev_file=file).notes
    assert "train: the text of 1 row stands in an earlier one too, 1 of them with another label" in said


def test_the_cases_with_duplicates(shared: Path) -> None:
    said = read(shared / "cases" / "duplicates" / "dups.csv").notes
    assert "train: the text of 360 rows stands in an earlier one too" in said
    assert "dev: the text of 400 of 400 rows stands in train too" in said
