"""Scoring a saved student: all rows that are new to it, labels by name, the score that distilling gave."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import raykd
from raykd.errors import UserError
from raykd.models.classifier import Head
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.seen_rows import SEEN_ROWS, read_seen_rows

WORDS = [f"w{index}" for index in range(40)]
CLASSES = ("art", "sport", "world")
TAUGHT: dict[str, Any] = {"epochs": 6, "learning_rate": 3e-3, "max_length": 16}
QUICK: dict[str, Any] = {"method": "none", "student": "cut:1", **TAUGHT}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers that know the classes from a file of their own."""
    place = tmp_path_factory.mktemp("teacher")
    tokenizer = word_tokenizer(WORDS)
    sizes = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64, "max_length": 16}
    encoder: Any = scratch_classifier(tokenizer, Head(CLASSES), **sizes, seed=1).base_model
    encoder.save_pretrained(place / "bare")
    tokenizer.save_pretrained(place / "bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYKD_HOME", str(place / "home"))
        rows = own(write(place / "rows.csv", 300, 99))
        return raykd.teach("custom", rows, teacher=str(place / "bare"), out=place / "taught", **TAUGHT)[0]


def text_of(chance: Random, kind: int) -> str:
    """Words of its class for the most part."""
    own = [f"w{10 * kind + chance.randrange(10)}" for _ in range(4)]
    return " ".join([*own, *chance.choices(WORDS, k=4)])


def write(path: Path, rows: int, seed: int, names: Sequence[str] = CLASSES, kinds: Sequence[int] = (0, 1, 2)) -> Path:
    chance = Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for row in range(rows):
            kind = kinds[row % len(kinds)]
            writer.writerow((text_of(chance, kind), names[kind]))
    return path


def own(path: Path, **options: Any) -> raykd.Source:
    return raykd.Source(str(path), text_columns=("text",), label_column="label", **options)


def distilled(home: Path, teacher: Path, file: Path, name: str = "student", **settings: Any) -> tuple[Path, float]:
    folder, last = raykd.distill("custom", own(file), teacher=str(teacher), out=home / name, **QUICK | settings)
    return folder, last.score


@pytest.mark.parametrize("seed", [1, 7])
def test_the_score_is_that_of_distilling(home: Path, teacher: Path, seed: int) -> None:
    """Whatever the seeds: the file that it was made from is scored by the rows that were held out."""
    file = write(home / "news.csv", 300, 1)
    student, score = distilled(home, teacher, file, seed=seed)
    sentences: list[str] = []
    scores = raykd.evaluate(student, raykd.Source(str(file)), say=sentences.append)  # columns are on its card
    assert scores["dev/accuracy"] == score
    assert any("was made from this file: scored by the 30 rows held out" in sentence for sentence in sentences)


def test_all_rows_of_another_file_count(home: Path, teacher: Path) -> None:
    student, _ = distilled(home, teacher, write(home / "news.csv", 300, 1))
    sentences: list[str] = []
    scores = raykd.evaluate(student, own(write(home / "test.csv", 200, 2)), say=sentences.append)
    assert round(scores["dev/accuracy"] * 200, 6).is_integer()
    assert scores["dev/accuracy"] > 0.5


def test_rows_that_it_has_learnt_from_do_not_count(home: Path, teacher: Path) -> None:
    """Of random labels a student knows those that it was taught by heart, and no others."""
    chance = Random(3)
    file = home / "random.csv"
    rows = [(text_of(chance, chance.randrange(3)), chance.choice(CLASSES)) for _ in range(200)]
    file.write_text("text,label\n" + "\n".join(",".join(row) for row in rows) + "\n")
    student, score = distilled(home, teacher.parent / "bare", file, seed=7, epochs=40)
    assert raykd.evaluate(student, own(file))["dev/accuracy"] == score < 0.7
    half = home / "half.csv"  # part of the file, under another name and in another order
    half.write_text("text,label\n" + "\n".join(",".join(row) for row in reversed(rows[:100])) + "\n")
    sentences: list[str] = []
    part = raykd.evaluate(student, own(half), say=sentences.append)
    [said] = [sentence for sentence in sentences if "are left out" in sentence]
    assert "of 100 rows are left out: the model or its teacher has learnt from them" in said
    assert part["dev/accuracy"] < 0.7
    seen = read_seen_rows(student)
    assert seen is not None
    assert len(seen.learnt) == 180
    (home / "train.csv").write_text(
        "text,label\n" + "\n".join(",".join(row) for row in rows if learnt(seen, row)) + "\n"
    )
    with pytest.raises(UserError, match="has seen all 180 rows"):
        raykd.evaluate(student, own(home / "train.csv"))


def learnt(seen: Any, row: tuple[str, str]) -> bool:
    from raykd.tasks.row_hashes import row_hashes

    return bool(seen.contains(row_hashes([row[:1]]))[0])


def test_a_dev_file_is_scored_whole_and_overlap_is_said(home: Path, teacher: Path) -> None:
    train = write(home / "news.csv", 300, 1)
    student, _ = distilled(home, teacher, train)
    sentences: list[str] = []
    raykd.evaluate(student, own(train, dev_file=str(train)), say=sentences.append)
    assert any("has seen 270 of the 300 rows of news.csv" in sentence for sentence in sentences)


def test_labels_go_by_name(home: Path, teacher: Path) -> None:
    student, _ = distilled(home, teacher, write(home / "news.csv", 300, 1))
    whole = raykd.evaluate(student, own(write(home / "test.csv", 150, 2)))
    sentences: list[str] = []
    file = write(home / "two.csv", 100, 2, kinds=(2, 1))  # a class is absent: the others are what they were
    scores = raykd.evaluate(student, own(file), say=sentences.append)
    assert scores["dev/accuracy"] > 0.5
    assert whole["dev/accuracy"] > 0.5
    assert "data: dev has no row of class art" in sentences
    with pytest.raises(UserError, match=r"100 with an unknown value in column 'label' \(allowed: art, sport, world\)"):
        raykd.evaluate(student, own(write(home / "numbers.csv", 100, 2, names=("0", "1", "2"))))


def test_a_file_by_other_columns(home: Path, teacher: Path) -> None:
    student, score = distilled(home, teacher, write(home / "news.csv", 300, 1))
    text = (home / "news.csv").read_text().replace("text,label", "body,topic")
    (home / "other.csv").write_text(text)
    with pytest.raises(UserError, match="no column 'text'"):
        raykd.evaluate(student, raykd.Source(str(home / "other.csv")))
    source = raykd.Source(str(home / "other.csv"), text_columns=("body",), label_column="topic")
    assert raykd.evaluate(student, source)["dev/accuracy"] == score
    with pytest.raises(UserError, match=r"the model reads 1 text\(s\) a row"):
        raykd.evaluate(student, raykd.Source(str(home / "other.csv"), text_columns=("body", "topic"), label_column="x"))


def test_a_teacher_that_knows_the_dev_rows_is_refused(home: Path, teacher: Path) -> None:
    """Taught with another split seed, on a file of random labels: its students would look better than they are."""
    file = write(home / "news.csv", 300, 1)
    taught, _ = raykd.teach("custom", own(file, split_seed=5), teacher=str(teacher), out=home / "taught", **TAUGHT)
    with pytest.raises(UserError, match=r"has learnt from \d+ of the 30 rows of dev\n.*--split-seed"):
        distilled(home, taught, file)
    student, _ = raykd.distill("custom", own(file, split_seed=5), teacher=str(taught), out=home / "same", **QUICK)
    seen = read_seen_rows(student)
    assert seen is not None
    assert len(seen.teacher) == len(seen.learnt) == 270


def test_a_folder_that_does_not_say(home: Path, teacher: Path) -> None:
    student, _ = distilled(home, teacher, write(home / "news.csv", 300, 1))
    (student / SEEN_ROWS).unlink()
    sentences: list[str] = []
    raykd.evaluate(student, own(write(home / "test.csv", 50, 2)), say=sentences.append)
    assert any("does not say which rows it has learnt from" in sentence for sentence in sentences)
    (student / SEEN_ROWS).write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="is damaged"):
        raykd.evaluate(student, own(home / "test.csv"))


def test_predictions(home: Path, teacher: Path) -> None:
    student, _ = distilled(home, teacher, write(home / "news.csv", 300, 1))
    rows = [" ".join(WORDS[:9]), "", " ".join(WORDS[10:19]), "   "]
    records = list(raykd.predict(student, rows))
    assert [record["text"] for record in records] == [[row] for row in rows]
    assert [record["label"] is None for record in records] == [False, True, False, True]
    for record in (records[0], records[2]):
        assert list(record["probabilities"]) == list(CLASSES)
        assert record["label"] == max(CLASSES, key=record["probabilities"].__getitem__)
    assert records[0]["probabilities"] != records[2]["probabilities"]
    assert records[1] == {"text": [""], "label": None, "probabilities": None}
    with pytest.raises(UserError, match=r"1 of 3 rows have another number of texts .* which is 1 \(text\) \(row 2;"):
        list(raykd.predict(student, ["w1", ("w1", "w2"), ["w3"]]))
    with pytest.raises(UserError, match="no text was given"):
        list(raykd.predict(student, ["", " "]))


def test_torch_is_left_as_it_was(home: Path, teacher: Path) -> None:
    student, _ = distilled(home, teacher, write(home / "news.csv", 120, 1))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    raykd.evaluate(student, own(write(home / "test.csv", 50, 2)))
    assert torch.equal(torch.get_rng_state(), state)
