"""What a column of labels means: spellings of one label, codes that look like numbers, classes or a score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raykd.errors import UserError
from raykd.tasks.data import Columns
from raykd.tasks.load import ReadOptions, load
from raykd.tasks.spellings import exact, fold, groups, lookup, number
from tests.tasks.reading import OWN, read, refused, rows, write


def csv(tmp_path: Path, labels: Sequence[object], name: str = "a.csv") -> Path:
    """A file with these labels, one a row."""
    lines = [f"row number {i},{label}" for i, label in enumerate(labels)]
    return write(tmp_path / name, "\n".join(["text,label", *lines]) + "\n")


def jsonl(tmp_path: Path, labels: Sequence[object]) -> Path:
    lines = [json.dumps({"text": f"row number {i}", "label": label}) for i, label in enumerate(labels)]
    return write(tmp_path / "a.jsonl", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "labels",
    [
        ["Pos", "pos", "neg"],
        ["POS", "neg", "Neg"],
        ["0", "0.0", "1"],
        ["0", "1", "1.0"],
        ["1", "01", "2"],
        ["+1", "1", "0"],
        ["1e3", "1000", "1"],
        ["very good", "very  good", "bad"],
        ["very good", "very_good", "bad"],
        ["not-entailment", "not_entailment", "entailment"],
        ["caf\u00e9", "cafe\u0301", "bar"],
        ["\uff41", "a", "b"],
        ["pos\u200b", "pos", "neg"],
        ["stra\u00dfe", "strasse", "weg"],
        ["True", "true", "False"],
        ["TRUE", "True", "False"],
        ["True", "False", "1", "0"],
        ["yes", "no", "1"],
        ["yes", "no", "y"],
        ["true", "false", "t", "f"],
        ["0", "0.0", "unknown thing"],
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_one_label_in_two_spellings_is_refused_with_both(tmp_path: Path, form: str, labels: list[str]) -> None:
    many = [*labels * 8, labels[-1]]
    file = csv(tmp_path, many) if form == "csv" else jsonl(tmp_path, many)
    said = refused(file)
    assert "writes one label in several ways" in said
    assert "8 rows: line" in said
    assert "say --labels classes if each is a class of its own" in said
    data = read(file, labels="classes")
    assert len(data.task.labels) == len(set(labels))
    assert any("classes that differ in spelling alone" in note for note in data.notes)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["C", "C-", "C+", "B"],
        ["US", "UK"],
        ["C#", "C++", "C"],
        ["1-2", "12", "1"],
        ["e-mail", "post"],
        ["none", "mild", "severe"],
        ["true", "false"],
        ["yes", "no"],
        ["1", "2", "10"],
        ["001", "002", "010"],
        ["größe👍", "schlecht😡"],
        ["-1", "0", "1"],
        ["a, b", "c"],
        ["ham", "spam"],
        ["very good", "very bad", "good"],
    ],
)
def test_different_labels_are_left_alone(tmp_path: Path, labels: list[str]) -> None:
    file = csv(tmp_path, [f'"{label}"' for label in labels * 9])
    assert set(read(file).task.labels) == set(labels)
    assert [label for _, label in rows(read(file))] == labels * 9


def test_spaces_around_labels_are_no_part_of_them_and_counted(tmp_path: Path) -> None:
    data = read(csv(tmp_path, [" pos", "pos", "neg "] * 6))
    assert data.task.labels == ("neg", "pos")
    assert f"spaces around the label of 12 rows of {tmp_path / 'a.csv'}: read without" in data.notes


def test_whole_numbers_that_became_floats(tmp_path: Path) -> None:
    data = read(csv(tmp_path, ["0.0", "1.0", "10.0"] * 5))
    assert data.task.labels == ("0", "1", "10")
    assert "labels in column 'label' are whole numbers with a point (such as 0.0): read without" in data.notes
    train, dev = csv(tmp_path, ["0", "1"] * 9), csv(tmp_path, ["0.0", "1.0"] * 3, "dev.csv")
    for first, second in ((train, dev), (dev, train)):
        mixed = load("custom", str(first), columns=OWN, dev_file=str(second))
        assert mixed.task.labels == ("0", "1")
        assert mixed.dev["dev"].labels[:4] == (0, 1, 0, 1)


def test_true_and_false_of_typed_files(tmp_path: Path) -> None:
    data = read(jsonl(tmp_path, [True, False] * 6))
    assert data.task.labels == ("0", "1")
    assert "column 'label' holds true and false: 1 is true, 0 is false" in data.notes
    for labels in ([True, False, 1, 0], [True, False, "true"], [True, 0.0, False]):
        assert "write every label in one way" in refused(jsonl(tmp_path, labels * 5))


def test_numbers_of_every_type_are_one_label(tmp_path: Path) -> None:
    assert read(jsonl(tmp_path, [1, 0, 1.0, 0.0, "1", "0"] * 4)).task.labels == ("0", "1")
    assert "several ways" in refused(jsonl(tmp_path, [1, 0, "1.0"] * 4))


@pytest.mark.parametrize(
    "labels",
    [
        ["1.1", "1.10", "1.2", "1.20", "2.1", "2.10", "2.2", "3.1", "3.2", "3.3"],
        ["1.1", "1.10", "2.5"],
        ["1.9", "1.10", "1.11", "1.8"],
        ["250.00", "250.1", "401.9"],
        ["3.50", "3.5", "2.25"],
        ["1.0", "1.1", "1.10"],
    ],
)
def test_codes_that_look_like_numbers_are_not_guessed(tmp_path: Path, labels: list[str]) -> None:
    file = csv(tmp_path, labels * 5)
    said = refused(file)
    assert "say --labels classes if they are names, --labels number if they are scores" in said
    assert set(read(file, labels="classes").task.labels) == set(labels)
    assert [label for _, label in rows(read(file, labels="classes"))] == labels * 5
    assert [label for _, label in rows(read(file, labels="number"))] == [float(label) for label in labels] * 5


@pytest.mark.parametrize(
    "labels",
    [
        [f"{i / 4}" for i in range(40)],
        [f"{i / 4:.2f}" for i in range(40)],
        [f"{i / 7}" for i in range(40)],
        [f"{i * 1e-7}" for i in range(40)],
        [f"{i / 4:g}" for i in range(40)],
        [f"-{i}.5" for i in range(40)],
    ],
)
def test_a_score_is_guessed_said_and_can_be_denied(tmp_path: Path, labels: list[str]) -> None:
    file = csv(tmp_path, labels * 3)
    data = read(file)
    assert data.task.regression
    assert "taken as a score, not as classes (--labels classes if they are names)" in data.notes[0]
    assert [label for _, label in rows(data)] == [float(label) for label in labels] * 3
    assert set(read(file, labels="classes").task.labels) == set(labels)


def test_classes_are_guessed_said_and_can_be_denied(tmp_path: Path) -> None:
    ratings = [str(1 + i % 100) for i in range(400)]
    data = read(csv(tmp_path, ratings))
    assert len(data.task.labels) == 100
    assert "holds 100 classes: 1, 2, 3, 4" in data.notes[0]
    assert "(--labels number if they are scores)" in data.notes[0]
    score = read(csv(tmp_path, ratings), labels="number")
    assert score.task.regression
    assert [label for _, label in rows(score)] == [float(label) for label in ratings]
    assert "column 'label' is taken as a score, as --labels says" in score.notes
    halves = csv(tmp_path, ["0.5", "1.5"] * 9)
    assert (read(halves).task.labels, read(halves, labels="number").task.regression) == (("0.5", "1.5"), True)
    assert "is it the label? If it is a score, say --labels number" in refused(csv(tmp_path, range(60)))
    assert read(csv(tmp_path, range(60)), labels="number").task.regression


def test_scores_with_what_is_none(tmp_path: Path) -> None:
    scores = [f"{i / 8}" for i in range(50)]
    for odd, said in (("inf", "no finite number"), ("-Infinity", "no finite number"), ("nan", "no label"),
                      ("", "no label"), ("bad", "no finite number"), ("1_000", "no finite number"),
                      ("1e999", "no finite number"), ("None", "no finite number"), ("\uff11", "no finite number"),
                      ("0x10", "no finite number")):  # fmt: skip
        file = csv(tmp_path, [*scores, odd])
        assert f"1 of 51 rows cannot be used: 1 with {'a label that is ' * ('finite' in said)}{said}" in refused(file)
        assert len(read(file, drop_bad_rows=True).train) == 50
    with pytest.raises(UserError, match="1 with a label that is no finite number"):
        load("custom", str(csv(tmp_path, ["1", "2", "x"])), columns=OWN, options=ReadOptions(labels="number"))
    for value in (float("inf"), float("nan"), float("-inf")):
        assert "1 of 51 rows cannot be used" in refused(jsonl(tmp_path, [*map(float, scores), value]))
        assert "cannot be used" in refused(jsonl(tmp_path, [*[0, 1] * 10, value]))


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    lines = [f"row number {i};{i // 4},{25 * (i % 4):02d}" for i in range(40)]
    file = write(tmp_path / "a.csv", "\n".join(["text;label", *lines]))
    said = refused(file, separator=";")
    assert "look like numbers with a decimal comma (0,00, 0,25, 0,50): write a point" in said


@pytest.mark.parametrize("word", ["none", "None", "null", "NA", "nil"])
def test_words_for_nothing_beside_other_words_are_a_class_and_said(tmp_path: Path, word: str) -> None:
    data = read(csv(tmp_path, ["mild", "severe", word] * 9))
    assert word in data.task.labels
    assert any(f"'{word}' (9 rows) is taken as a class: if it stands for no label" in note for note in data.notes)
    rare = csv(tmp_path, ["mild", "severe"] * 90 + [word] * 2)
    assert f"2 with no label in column 'label': '{word}'" in refused(rare)
    assert "9 with no label" in refused(csv(tmp_path, ["0", "1", word] * 9))
    assert word in read(csv(tmp_path, ["0", "1", word] * 9), labels="classes").task.labels


@pytest.mark.parametrize("word", ["nan", "NaN", "<NA>", "N/A", "#N/A", "NaT", "n/a"])
def test_words_for_nothing_alone_are_no_class_unless_said(tmp_path: Path, word: str) -> None:
    file = csv(tmp_path, ["mild", "severe", word] * 9)
    assert f"9 with no label in column 'label': '{word}'" in refused(file)
    assert read(file, drop_bad_rows=True).task.labels == ("mild", "severe")
    assert word in read(file, labels="classes").task.labels


def test_labels_of_a_named_task(tmp_path: Path) -> None:
    def labels(*written: object, task: str = "sst2") -> tuple[int | float, ...]:
        lines = [json.dumps(f"text {i}") + f",{label}" for i, label in enumerate(written)]
        file = str(write(tmp_path / "n.csv", "\n".join(["sentence,label", *lines])))
        return load(task, file, dev_file=file).train.labels

    assert labels("Positive", "NEGATIVE", "positive ", " negative") == (1, 0, 1, 0)
    assert labels("1.0", "0.0", "1", "0") == (1, 0, 1, 0)
    assert labels("Acceptable", "UNACCEPTABLE", "0.0", task="cola") == (1, 0, 0)
    with pytest.raises(UserError, match=r"1 with an unknown value .*\(allowed: negative, positive, 0, 1\): '-1'"):
        labels("1", "0", "-1")
    with pytest.raises(UserError, match=r"'0\.5'"):
        labels("1", "0", "0.5")
    with pytest.raises(UserError, match="task 'sst2' says itself what its labels are"):
        load("sst2", str(tmp_path / "n.csv"), options=ReadOptions(labels="classes"))
    names = ("Entailment", "Not Entailment")
    pairs = [{"sentence1": "a", "sentence2": f"b {i}", "label": names[i % 2]} for i in range(8)]
    file = str(write(tmp_path / "rte.jsonl", "\n".join(map(json.dumps, pairs))))
    data = load("rte", file, dev_file=file)
    assert data.train.labels == (0, 1) * 4
    assert any("in another spelling: 'Entailment' (4) as entailment" in note for note in data.notes)


def test_labels_of_dev_are_found_by_name_number_and_spelling(tmp_path: Path) -> None:
    train = csv(tmp_path, ["neg", "pos"] * 9)
    dev = csv(tmp_path, ["Pos", "NEG"] * 3, "dev.csv")
    data = load("custom", str(train), columns=OWN, dev_file=str(dev))
    assert data.dev["dev"].labels == (1, 0) * 3
    assert any("in another spelling: 'Pos' (3) as pos; 'NEG' (3) as neg" in note for note in data.notes)
    with pytest.raises(UserError, match=r"3 with an unknown value .*\(allowed: neg, pos\): 'other' \(lines 2, 4, 6\)"):
        load("custom", str(train), columns=OWN, dev_file=str(csv(tmp_path, ["other", "pos"] * 3, "dev.csv")))


NAMES = ["World", "Sports", "Business", "Sci/Tech", "Rest"]


@pytest.mark.parametrize("form", ["parquet", "arrow", "saved", "dict"])
def test_class_names_that_datasets_keeps(tmp_path: Path, form: str) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)})
    table = datasets.Dataset.from_dict({"text": [f"row {i}" for i in range(24)], "label": [3, 1, 0, 2] * 6}, features)
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        table.to_parquet(str(path))
    elif form == "saved":
        table.save_to_disk(str(path))
    elif form == "dict":
        datasets.DatasetDict({"train": table, "validation": table}).save_to_disk(str(path))
    else:
        table.save_to_disk(str(tmp_path / "d"))
        next((tmp_path / "d").glob("*.arrow")).rename(path)
    data = read(path) if form != "dict" else load("custom", str(path), columns=OWN)
    assert data.task.labels == ("World", "Sports", "Business", "Sci/Tech")
    assert [label for _, label in rows(data)][:4] == ["Sci/Tech", "Sports", "World", "Business"]
    assert any("as the file names them" in note for note in data.notes)
    assert any("names and no row has: Rest (1)" in note for note in data.notes)


def test_class_names_settle_what_a_number_means_for_a_named_task(tmp_path: Path) -> None:
    import datasets

    names = datasets.ClassLabel(names=["positive", "negative"])  # the other way round
    features = datasets.Features({"sentence": datasets.Value("string"), "label": names})
    table = datasets.Dataset.from_dict({"sentence": [f"row {i}" for i in range(6)], "label": [0, 1] * 3}, features)
    table.to_parquet(str(tmp_path / "a.parquet"))
    data = load("sst2", str(tmp_path / "a.parquet"), dev_file=str(tmp_path / "a.parquet"))
    assert data.train.labels == (1, 0) * 3
    unlabelled = datasets.Dataset.from_dict({"sentence": ["a", "b"], "label": [-1, -1]}, features)
    unlabelled.to_parquet(str(tmp_path / "test.parquet"))
    with pytest.raises(UserError, match="2 of 2 rows cannot be used: 2 with no label"):
        load("sst2", str(tmp_path / "a.parquet"), dev_file=str(tmp_path / "test.parquet"))


def test_columns_of_class_names_read_as_numbers(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["x", "y"] * 5, "b": ["1.5", "2.5"] * 5}), tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet", columns=Columns(("a",), "b"))
    assert data.task.labels == ("1.5", "2.5")


def test_pieces() -> None:
    assert [number(text) for text in ("1", " 2.5 ", "-.5", "1e-3", "1.")] == [1, 2.5, -0.5, 1e-3, 1]
    odd = ("", "inf", "nan", "1_0", "1,0", "0x1", "1e999", "\u0663", "1 2", "--1")
    assert all(number(text) is None for text in odd)
    assert exact("12345678901234567") != exact("12345678901234568")
    assert exact("0e999999999") == 0
    assert fold("  Very\u00a0Good ") == fold("very_good") == "very good"
    assert fold("B-") != fold("B")
    assert groups(["12345678901234567", "12345678901234568"]) == []
    index: Any = lookup(("Pos", "pos", "neg"), numbered=False)
    assert ("folded", "pos") not in index
    assert index["folded", "neg"] == 2
    assert lookup(("b", "a"), numbered=True)[exact("1.0")] == 1
