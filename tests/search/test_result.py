"""What is said at the end of odd sweeps: nothing completed, one class, numbers, one seed; and on narrow consoles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raykd.models.cost import Cost
from raykd.report.note import note
from raykd.report.page import render
from raykd.report.story import Story
from raykd.report.verdict import verdict
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.scores import metrics_of
from raykd.search.sweep import SweepResult
from raykd.train.config import TaskSpec
from tests.report.ledgers import CLASSES, COLA, NUMBER, Answer, concluded, printed, run, space, spec_of
from tests.report.test_page import Page

pytestmark = pytest.mark.usefixtures("quick")


def failing(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    raise ValueError("no memory")


def majority(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    return np.zeros(len(labels), dtype=np.uint8)


def some(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    chance = np.random.default_rng(sum(f"{label}/{split}".encode()))
    return np.where(chance.random(len(labels)) < 0.7, labels, 1 - labels).astype(np.uint8)


def near(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    chance = np.random.default_rng(sum(f"{label}/{split}".encode()))
    return (labels + chance.normal(size=len(labels))).astype(np.float32)


def away(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    return (-near(label, split, labels)).astype(np.float32)


def swept(
    folder: Path, task: TaskSpec, labels: dict[str, np.ndarray], answer: Answer, most: int = 1000, **more: int
) -> tuple[Story, SweepResult]:
    spec = spec_of(folder, task, labels, **more)
    ledger = Ledger(Journal(folder / "sweep"), spec, space(), "trials")
    run(ledger, task, labels, answer, most)
    return concluded(spec, ledger)


TWO = {name: np.arange(12) % 2 for name in ("select", "dev")}
REAL = {name: np.linspace(0, 5, 12).astype(np.float32) for name in ("select", "dev")}


@pytest.mark.parametrize("finalists", [0, 2])
def test_nothing_completed(tmp_path: Path, finalists: int) -> None:
    story, result = swept(tmp_path, CLASSES, TWO, failing, finalists=finalists)
    text, page = printed(result), Page(render(story)).text
    assert "trials: 4 fail" in text
    assert "no distilled trial completed" in text
    for absent in ("saved:", "student:", "mean:", "champion"):
        assert absent not in text.lower()
    assert "No distilled trial has completed." in page
    assert "no memory" in page
    assert "The saved model" not in page
    assert result.saved is None
    assert metrics_of(result.spec, result.found, None) == {"teacher": 0.9}
    assert note(story).startswith("**No distilled trial has completed.**")


def test_only_the_baseline_completed(tmp_path: Path) -> None:
    def plain(label: str, split: str, labels: np.ndarray) -> np.ndarray:
        return some(label, split, labels) if label == "baseline" else failing(label, split, labels)

    story, result = swept(tmp_path, CLASSES, TWO, plain)
    text = printed(result)
    assert "no distilled trial completed" in text
    assert "saved:   run baseline, accuracy" in text
    assert "No distilled trial has completed." in Page(render(story)).text
    assert "The saved model is baseline, one run" in Page(render(story)).text
    assert "no distilled student beat" not in text


def test_all_finals_failed(tmp_path: Path) -> None:
    def searched(label: str, split: str, labels: np.ndarray) -> np.ndarray:
        return failing(label, split, labels) if "-s" in label else some(label, split, labels)

    story, result = swept(tmp_path, CLASSES, TWO, searched)
    text, page = printed(result), Page(render(story)).text
    assert "trials: 4 complete, 8 fail" in text
    assert "fresh seeds" not in text
    assert "scored best in the search" in page
    assert "No configuration has been confirmed on fresh seeds" in page
    assert result.saved is not None
    assert f"saved:   run {result.saved.label}, accuracy" in text


def test_nothing_was_searched_yet(tmp_path: Path) -> None:
    story, result = swept(tmp_path, CLASSES, TWO, some, most=1)
    assert verdict(story).headline == "Nothing was searched yet."
    assert "saved:   run baseline, accuracy" in printed(result)
    assert "no model" in Page(render(story)).text
    nothing, empty = swept(tmp_path / "none", CLASSES, TWO, some, most=0)
    assert Page(render(nothing)).sections == ["results"]
    assert "no distilled trial completed" in printed(empty)


@pytest.mark.parametrize("task", [CLASSES, COLA], ids=["accuracy", "matthews"])
@pytest.mark.parametrize("answer", [majority, some])
def test_one_class_in_dev(tmp_path: Path, task: TaskSpec, answer: Answer) -> None:
    labels = {"select": np.arange(12) % 2, "dev": np.zeros(12, dtype=np.int64)}
    story, result = swept(tmp_path, task, labels, answer)
    text, page = printed(result), Page(render(story)).text
    assert story.floor is not None
    assert story.floor.score == (1.0 if task is CLASSES else 0.0)
    assert result.saved is not None
    assert result.saved.warning in text
    assert "not registered as champion" in page
    assert verdict(story).headline.startswith("Nothing was learnt: ")
    assert f"no better than {story.floor.answer}" in text
    assert "nan" not in text.lower()
    assert "nan" not in page.lower()


@pytest.mark.parametrize("answer", [near, away], ids=["near", "turned round"])
def test_numbers(tmp_path: Path, answer: Answer) -> None:
    story, result = swept(tmp_path, NUMBER, REAL, answer)
    text, page = printed(result), Page(render(story))
    assert "pearson" in text
    assert result.saved is not None
    assert (result.saved.warning != "") is (answer is away)
    if answer is away:
        assert "no better than always saying the same number" in text
        assert "keeps" not in text  # of a teacher's score nothing is left in a negative one
    else:
        assert "keeps" in text
    assert "teacher wrong" not in page.text
    assert "by-class" not in page.figures


def test_a_constant_number_scores_nothing_and_is_not_registered(tmp_path: Path) -> None:
    story, result = swept(tmp_path, NUMBER, REAL, lambda label, split, of: np.ones(len(of), dtype=np.float32))
    assert result.saved is not None
    assert "scores 0.0000 pearson: no better than always saying the same number" in result.saved.warning
    assert "score the same on select, 0.0000" in " ".join(verdict(story).sentences)


def test_one_seed_has_no_interval_and_few_may_say_nothing(tmp_path: Path) -> None:
    story, result = swept(tmp_path, CLASSES, TWO, some, final_seeds=1)
    text = printed(result)
    assert "the mean of 1 fresh seed (95% interval: one seed)" in text
    assert "the only run of its configuration on a fresh seed" in text
    assert " ± " not in text.split("promised")[1]

    def apart(label: str, split: str, of: np.ndarray) -> np.ndarray:
        right = {"t0000-s1": 12, "t0000-s2": 7}.get(label, 7 if label == "t0000" else 6)
        return np.where(np.arange(12) < right, of, 1 - of).astype(np.uint8)

    story, result = swept(tmp_path / "two", CLASSES, TWO, apart)
    assert "(95% interval: too few seeds to say)" in printed(result)
    assert "too few seeds to say" in Page(render(story)).text


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_value_is_cut_off_however_narrow(tmp_path: Path, width: int) -> None:
    known = {"costs": {"cut:1": Cost(400_000, 13_700_000, 1.1)}, "teacher_cost": Cost(800_000, 27_400_000, 2.5)}
    spec = spec_of(tmp_path, CLASSES, TWO).model_copy(update=known)
    ledger = Ledger(Journal(tmp_path / "sweep"), spec, space(), "trials")
    run(ledger, CLASSES, TWO, some)
    text = printed(concluded(spec, ledger)[1], width)
    assert "…" not in text
    wide = printed(concluded(spec, ledger)[1], 400)
    assert set(wide.split()) == set(text.split())
