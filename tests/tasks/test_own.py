"""The user's own files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.tasks.load import Columns, load

Write = Callable[[str, list[dict[str, Any]]], str]
OWN = Columns(("text",), "mood")


def rows(n: int, labels: tuple[Any, ...] = ("bad", "good", "so")) -> list[dict[str, Any]]:
    return [{"id": i, "text": f"row {i}, of {n}", "mood": labels[i % len(labels)]} for i in range(n)]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_custom_task(write: Write, suffix: str) -> None:
    data = load("custom", write(f"mine.{suffix}", rows(60)), columns=OWN, dev_file=write(f"d.{suffix}", rows(9)))
    assert data.task.labels == ("bad", "good", "so")
    assert data.task.metrics == ("accuracy", "f1_macro")
    assert (len(data.train), len(data.dev["dev"])) == (60, 9)
    assert data.train.texts[1] == ("row 1, of 60",)
    assert data.train.labels[:4] == (0, 1, 2, 0)
    assert data.notes == (
        "column 'mood' holds 3 classes: bad, good, so",
        "train: 60 rows: bad 20, good 20, so 20",
        "dev: 9 rows: bad 3, good 3, so 3",
    )
    assert data.fingerprint == "9b70396f72a40dd8"


def test_a_tenth_of_every_class_is_held_out(write: Write) -> None:
    file = write("mine.csv", rows(300))
    data = load("custom", file, columns=OWN)
    assert [data.dev["dev"].labels.count(label) for label in range(3)] == [10, 10, 10]
    assert len(data.train) == 270
    assert not set(data.train.texts) & set(data.dev["dev"].texts)
    assert data.notes[1] == f"30 of 300 rows of {file} held out as dev (split seed 0)"
    assert load("custom", file, columns=OWN).fingerprint == data.fingerprint
    assert load("custom", file, columns=OWN, split_seed=2).dev != data.dev


def test_scores_and_classes_are_told_apart_and_noted(write: Write) -> None:
    scores = load("custom", write("s.jsonl", rows(40, tuple(i / 4 for i in range(40)))), columns=OWN)
    assert scores.task.regression
    assert scores.task.metrics == ("pearson", "spearman")
    assert scores.notes[0] == (
        "column 'mood' holds 40 distinct numbers: taken as a score, not as classes (--labels classes if they are names)"
    )
    stars = load("custom", write("n.parquet", rows(40, (10, 2, 1))), columns=OWN)
    assert stars.task.labels == ("1", "2", "10")
    assert stars.train.labels[0] in (0, 1, 2)
    halves = load("custom", write("h.csv", rows(40, (0.5, 1.5))), columns=OWN)
    assert halves.task.labels == ("0.5", "1.5")
    flags = load("custom", write("f.jsonl", rows(40, (True, False))), columns=OWN)
    assert flags.task.labels == ("0", "1")


def test_a_class_named_by_a_number_is_not_an_index(write: Write) -> None:
    data = load("custom", write("n.csv", rows(40, (1, 2))), columns=OWN, dev_file=write("d.csv", rows(4, (2, 1))))
    assert data.dev["dev"].labels == (1, 0, 1, 0)
    with pytest.raises(UserError, match=r"2 with an unknown value in column 'mood' \(allowed: 1, 2\): '0'"):
        load("custom", write("n.csv", rows(40, (1, 2))), columns=OWN, dev_file=write("d.csv", rows(4, (0, 1))))


def test_a_glue_name_keeps_its_classes_and_metrics(write: Write) -> None:
    pairs = [{"premise": f"a {i}", "claim": "b", "label": ("entailment", "1")[i % 2]} for i in range(40)]
    data = load("rte", write("p.csv", pairs), columns=Columns(("premise", "claim")))
    assert data.task.name == "rte"
    assert data.train.texts[0] == ("a 0", "b")
    assert set(data.train.labels) == {0, 1}
    with pytest.raises(UserError, match="task 'rte' has 2 text column"):
        load("rte", write("p.csv", pairs), columns=Columns(("premise",)))


def test_a_folder_of_own_files(write: Write, tmp_path: Path) -> None:
    write("own/train.jsonl", rows(30))
    write("own/validation.csv", rows(6))
    data = load("custom", str(tmp_path / "own"), columns=OWN)
    assert (len(data.train), len(data.dev["dev"])) == (30, 6)
    write("own/dev.csv", rows(6))
    with pytest.raises(UserError, match="more than one dev or validation file"):
        load("custom", str(tmp_path / "own"), columns=OWN)
    (tmp_path / "own" / "train.jsonl").unlink()
    with pytest.raises(UserError, match=r"no train file \(.*there: dev.csv, validation.csv\)"):
        load("custom", str(tmp_path / "own"), columns=OWN)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_missing_columns_are_named_with_the_nearest(write: Write, suffix: str) -> None:
    file = write(f"mine.{suffix}", rows(6))
    with pytest.raises(UserError) as caught:
        load("custom", file, columns=Columns(("texts",), "label"))
    first, second = caught.value.problems
    assert "no column 'texts': did you mean 'text'? (present: id, text, mood)" in first
    assert "no column 'label'" in second


def test_wrong_labels(write: Write) -> None:
    with pytest.raises(UserError, match=r"7 with an unknown value .*: 'v0', 'v1', 'v2', 'v3', 'v4', ... \(lines 2, 3"):
        load("sst2", write("a.csv", [{"sentence": "a", "label": f"v{i}"} for i in range(7)]))
    scores = write("b.csv", [{"sentence1": "a", "sentence2": "b", "label": label} for label in ("1.5", "high", "nan")])
    words = (
        "1 with a label that is no finite number in column 'label': 'high' (line 3); 1 with no label in column 'label'"
    )
    with pytest.raises(UserError, match=re.escape(words)):
        load("stsb", scores)
    with pytest.raises(UserError, match="40 distinct values in 40 rows: is it the label"):
        load("custom", write("c.csv", rows(40)), columns=Columns(("mood",), "text"))


def test_quotes_newlines_and_long_texts_in_csv(write: Write) -> None:
    long = "word " * 50_000
    texts = ['say "hi", twice', "two\nlines", long]
    table = [{"sentence": texts[i % 3], "label": i % 2} for i in range(12)]
    data = load("sst2", write("q.csv", table), dev_file=write("d.csv", table))
    assert data.train.texts[:3] == tuple((text,) for text in texts)


def test_broken_files_are_named(tmp_path: Path) -> None:
    cases = {
        "a.json": ("[]", "a.json holds no rows"),
        "a.yaml": ("[]", "unknown kind of file '.yaml'"),
        "b.jsonl": ('{"sentence": "a", "label": 1}\nnot json\n', "line 2 is not JSON"),
        "c.jsonl": ("[1]\n", "row 1 is not a JSON object"),
        "c2.jsonl": ("1\n", "line 1 is not a JSON object"),
        "d.csv": ("", "d.csv is empty"),
        "e.jsonl": ("", "e.jsonl holds no rows"),
        "f.parquet": ("PAR1?", "is not a Parquet file"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=message):
            load("sst2", str(tmp_path / name))
    (tmp_path / "g.csv").write_bytes("sentence,label\ncaf\xe9,1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"g.csv, line 2: byte 0xe9 is not UTF-8.*'caf\xe9,1'.*--encoding cp1252"):
        load("sst2", str(tmp_path / "g.csv"))


def test_impossible_requests_are_refused_all_at_once(write: Write) -> None:
    with pytest.raises(UserError) as caught:
        load("rtee", "sample", dev_file="d.csv", max_train=0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "unknown task 'rtee'",
        "columns and a dev file go with your own files, not with 'sample'",
        "max_train is 0",
    ]
    with pytest.raises(UserError, match="'custom' needs your own file"):
        load("custom", "hub")
    with pytest.raises(UserError, match="name one or two text columns and the label column"):
        load("custom", write("a.csv", rows(9)))
    with pytest.raises(UserError, match=r"no such file: .*none\.csv"):
        load("custom", write("a.csv", rows(9)), columns=OWN, dev_file="none.csv")
