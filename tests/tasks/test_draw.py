"""Some rows of a split: even over the classes, in the file's order, the same whatever the run's seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from raykd.tasks.data import Split
from raykd.tasks.draw import sample_rows
from raykd.tasks.load import load
from raykd.tasks.task import Task, find
from tests.tasks.reading import OWN, write


def split(*counts: int) -> Split:
    """Sorted by class, as files often are."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return Split(tuple((f"row {i}",) for i in range(len(labels))), tuple(labels))


def classes(count: int) -> Task:
    return Task("custom", "", ("text",), tuple(map(str, range(count))), ("accuracy",), "accuracy")


@pytest.mark.parametrize(
    ("counts", "n", "wanted"),
    [
        ((300, 300), 100, [50, 50]),
        ((900, 100), 100, [90, 10]),
        ((200, 200, 200), 200, [67, 67, 66]),
        ((997, 2, 1), 100, [98, 1, 1]),
        ((1000, 1, 1, 1), 4, [1, 1, 1, 1]),
        ((1000, 1, 1, 1), 5, [2, 1, 1, 1]),
        ((10, 10, 10, 10), 3, [1, 1, 1, 0]),
        ((5, 5), 10, [5, 5]),
        ((5, 5), 99, [5, 5]),
        ((5, 5), None, [5, 5]),
        ((1, 1), 1, [1, 0]),
    ],
)
def test_every_class_has_its_share(counts: tuple[int, ...], n: int | None, wanted: list[int]) -> None:
    whole = split(*counts)
    part = sample_rows(whole, classes(len(counts)), n)
    assert [Counter(part.labels)[label] for label in range(len(counts))] == wanted
    numbers = [int(texts[0].removeprefix("row ")) for texts in part.texts]
    assert numbers == sorted(set(numbers))
    assert all(whole.labels[number] == label for number, label in zip(numbers, part.labels, strict=True))


@pytest.mark.parametrize("counts", [(7, 80, 13), (1, 2, 3, 4, 500), (50,) * 9, (1,) * 30])
def test_shares_differ_from_proportion_by_less_than_the_classes_and_add_up(counts: tuple[int, ...]) -> None:
    whole, total = split(*counts), sum(counts)
    for n in range(1, total):
        drawn = Counter(sample_rows(whole, classes(len(counts)), n).labels)
        assert drawn.total() == n
        if n >= len(counts):
            assert len(drawn) == len(counts)
        least = 1 if n >= len(counts) else 0
        for label, count in enumerate(counts):
            share = n * count / total
            assert drawn[label] >= min(count, max(least, int(share) - len(counts) * least))
            assert drawn[label] <= max(least, share + 1)


def test_the_split_seed_decides(tmp_path: Path) -> None:
    whole = split(300, 300)
    assert sample_rows(whole, classes(2), 50) == sample_rows(whole, classes(2), 50, seed=0)
    assert sample_rows(whole, classes(2), 50) != sample_rows(whole, classes(2), 50, seed=1)
    file = write(tmp_path / "a.csv", "text,label\n" + "".join(f"row {i},{i // 200}\n" for i in range(600)))
    parts = [load("custom", str(file), columns=OWN, dev_file=str(file), max_train=60, split_seed=s) for s in (0, 0, 1)]
    assert parts[0].fingerprint == parts[1].fingerprint != parts[2].fingerprint
    assert Counter(parts[0].train.labels) == {0: 20, 1: 20, 2: 20}
    assert parts[0].notes[1] == "60 of 600 rows of train drawn, every class in proportion"


def test_scores_and_questions_are_drawn_from_everywhere() -> None:
    scores = Split(tuple((f"{i}",) for i in range(1000)), tuple(i / 10 for i in range(1000)))
    part = sample_rows(scores, find("stsb"), 200)
    assert len(part) == 200
    assert abs(sum(part.labels) / 200 - 49.95) < 6
    questions = Split((("q", "c"),) * 90, (1,) * 90, tuple(((i, "a"),) for i in range(90)))
    chosen = sample_rows(questions, find("squad"), 30)
    starts = [answers[0][0] for answers in chosen.answers]
    assert starts == sorted(set(starts))
    assert max(starts) > 60


def test_the_first_rows_of_a_sorted_file_are_not_what_is_drawn(shared: Path) -> None:
    data = load("custom", str(shared / "cases" / "sorted_max" / "three_sorted.csv"), columns=OWN, max_train=200)
    assert sorted(Counter(data.train.labels).values()) == [66, 67, 67]
