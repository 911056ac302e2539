"""The built-in sample: the same everywhere, of every task's shape, balanced, noisy where it says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from raykd.tasks import sample
from raykd.tasks.load import load
from raykd.tasks.task import TASKS, Task

FINGERPRINTS = ["a40f030b28522dcc", "32d9871e0d84c867"]  # of rte and cola, seed 1
ALL = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


@ALL
def test_shape_balance_and_words(task: Task) -> None:
    train, dev = sample.generate(task, seed=1)
    corpus = sample.corpus(task, seed=1, n=3000)
    assert list(dev) == list(task.dev)
    words = set(sample.vocabulary(task))
    for split, size in ((train, 2000), *((part, 500) for part in dev.values()), (corpus, 3000)):
        assert len(split) == size
        assert {len(texts) for texts in split.texts} == {len(task.texts)}
        lengths = [len(" ".join(texts).split()) for texts in split.texts]
        assert min(lengths) >= 3
        assert max(lengths) <= 30
        assert {word for texts in split.texts for text in texts for word in text.split()} <= words
        if task.regression:
            assert min(split.labels) >= 0.0
            assert max(split.labels) <= 5.0
        elif task.span:
            assert split.answers
            assert all(
                text[at : at + len(right)] == right
                for (_, text), row in zip(split.texts, split.answers, strict=True)
                for at, right in row
            )
            assert split.labels == tuple(int(bool(row)) for row in split.answers)
            share = split.labels.count(0) / size
            assert 0.2 < share < 0.34 if task.name == "squad_v2" else share == 0
        elif split is not train:
            counts = [split.labels.count(label) for label in range(len(task.labels))]
            assert max(counts) - min(counts) <= 1
            assert sum(counts) == size


@ALL
def test_the_seed_decides_and_nothing_else(task: Task) -> None:
    assert sample.generate(task, 3, 50, 20) == sample.generate(task, 3, 50, 20)
    assert sample.generate(task, 3, 50, 20) != sample.generate(task, 4, 50, 20)
    assert sample.corpus(task, 3, 50).texts != sample.generate(task, 3, 50, 20)[0].texts


def test_the_text_is_the_same_on_every_machine() -> None:
    code = (
        "from raykd.tasks.load import load\n"
        "print(load('rte', 'sample').fingerprint, load('cola', 'sample').fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == FINGERPRINTS


def test_train_is_noisy_and_says_so() -> None:
    task = TASKS["mnli"]
    clean = sample._rows(task, "train 1", 2000)
    noisy, _ = sample.generate(task, 1)
    assert noisy.texts == clean.texts
    wrong = [(a, b) for a, b in zip(clean.labels, noisy.labels, strict=True) if a != b]
    assert 0.17 < len(wrong) / 2000 < 0.23
    assert len(set(wrong)) == 6  # every class becomes every other
    data = load("mnli", "sample")
    assert data.source == "built-in sample"
    assert "20% wrong classes" in data.notes[0]
    assert "20% wrong answers" in load("squad", "sample").notes[0]
    assert load("stsb", "sample").notes[0].count("normal errors of 1.25") == 1
