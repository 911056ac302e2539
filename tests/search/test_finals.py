"""After the search: who runs again, on which seeds, and that a crash changes nothing of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState

from raykd.search.finals import BASELINE, KD, Final, fresh, parse, planned
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tasks.predictions import pack
from tests.search.conftest import report, started

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def spec(spec: SweepSpec) -> SweepSpec:
    return spec.model_copy(update={"trials": 4, "finalists": 2, "final_seeds": 2})


def open_(folder: Path, spec: SweepSpec, space: Space) -> Ledger:
    return Ledger(Journal(folder), spec, space, "trials")


def finish(ledger: Ledger, label: str, score: float) -> None:
    ledger.report(label, report(8, score))
    ledger.end(label, TrialState.COMPLETE)


def searched(ledger: Ledger, scores: tuple[float, ...] = (0.5, 0.8, 0.6, 0.7)) -> None:
    finish(ledger, started(ledger), 0.4)
    for score in scores:
        finish(ledger, started(ledger), score)


def test_labels() -> None:
    assert parse(Final("t0003", 2).label) == Final("t0003", 2)
    assert [parse(label) for label in ("t0003", BASELINE, "t-s", "-s1x")] == [None] * 4


def test_seeds_are_fresh_and_the_same_for_all() -> None:
    runs = list(planned([("t0001", {"method": "pkd", "seed": 9})], {"method": "none", "epochs": 3}, 3, 1))
    assert [final.label for final, _ in runs[:4]] == ["baseline-s1", "kd-s1", "t0001-s1", "baseline-s2"]
    seeds = [settings["seed"] for _, settings in runs]
    assert seeds == [seed for seed in dict.fromkeys(seeds) for _ in range(3)]
    assert len(set(seeds)) == 3
    assert 1 not in seeds
    assert runs[1][1] == {"method": KD, "epochs": 3, "seed": seeds[0]}
    assert all(fresh(seed, 1) not in (seed, 2**32) for seed in (0, 1, 2**31 - 1, 2**31, 2**32 - 1))


def test_the_best_and_the_baselines_run_again(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    searched(ledger)
    runs = [ledger.next() for _ in range(8)]
    names = ["baseline", "kd", "t0001", "t0003"]
    assert [run.label for run in runs if run] == [f"{name}-s{number}" for number in (1, 2) for name in names]
    assert ledger.next() is None
    assert ledger.exhausted
    assert runs[0] is not None
    assert runs[1] is not None
    assert runs[2] is not None
    settings = ledger.entry("t0001").settings
    assert runs[2].training.seed == fresh(spec.seed, 1)
    assert runs[2].training.learning_rate == settings["learning_rate"]
    assert runs[2].parameters == {"temperature": settings["temperature"]}
    assert (runs[1].method, runs[0].method) == ("kd", "none")


def test_no_final_begins_while_the_search_is_under_way(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    labels = [started(ledger) for _ in range(5)]
    for label in labels[:-1]:
        finish(ledger, label, 0.5)
    assert ledger.next() is None
    assert not ledger.exhausted
    finish(ledger, labels[-1], 0.9)
    assert started(ledger) == "baseline-s1"
    assert started(ledger) == "kd-s1"  # while the first one runs


def test_finals_teach_the_sampler_nothing_and_are_never_stopped(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    searched(ledger)
    before = ledger.best()
    for _ in range(8):
        label = started(ledger)
        assert not ledger.report(label, report(2, 0.0))
        finish(ledger, label, 0.99)
    assert ledger.best() is before
    assert len(ledger._history()) == 4
    assert ledger.frozen("t0001-s1").params == {}
    assert ledger.frozen("t0001-s1").user_attrs["kind"] == "final"


def test_a_new_driver_goes_on_with_them(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    searched(ledger)
    finish(ledger, started(ledger), 0.4)
    assert started(ledger) == "kd-s1"
    again = open_(tmp_path, spec, space)
    assert [started(again), started(again)] == ["kd-s1", "t0001-s1"]


def test_more_trials_may_bring_other_finalists(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    searched(ledger)
    while (run := ledger.next()) is not None:
        finish(ledger, run.label, 0.4)
    longer = open_(tmp_path, spec.model_copy(update={"trials": 5}), space)
    label = started(longer)
    assert label == "t0004"
    finish(longer, label, 0.95)
    left = [started(longer), started(longer)]
    assert left == ["t0004-s1", "t0004-s2"]  # what has run stays
    assert longer.next() is None


def test_where_nothing_was_found_nothing_is_confirmed(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    for _ in range(5):
        ledger.end(started(ledger), TrialState.FAIL, error="x")
    assert ledger.next() is None
    assert ledger.exhausted


def test_of_each_configuration_the_best_student_is_kept(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    searched(ledger)
    assert ledger.keepers() == {BASELINE, "t0001"}
    for score in (0.4, 0.5, 0.8, 0.6, 0.5, 0.4, 0.7, 0.7):
        finish(ledger, started(ledger), score)
    assert ledger.keepers() == {BASELINE, "t0001", "baseline-s2", "kd-s1", "t0001-s1", "t0003-s2"}
    assert [entry.score for entry in ledger.finals()["t0003"]] == [0.6, 0.7]


def test_a_budget_of_epochs_ends_the_search(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    spec = spec.model_copy(update={"trials": 24, "max_epochs": 5.0, "finalists": 0, "sampler": "random"})
    ledger = open_(tmp_path, spec, space)
    finish(ledger, started(ledger), 0.4)
    had = 0.0
    while (run := ledger.next()) is not None:
        assert had < 5.0
        stopped = ledger.report(run.label, report(2, -float(run.label[1:])))
        had += run.training.epochs * (0.25 if stopped else 1.0)
        finish(ledger, run.label, 0.5)
    assert had >= 5.0
    assert ledger.exhausted
    assert open_(tmp_path, spec, space).next() is None


def test_one_that_answers_as_a_better_one_makes_room(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    finish(ledger, started(ledger), 0.4)
    split = next(iter(spec.dev))
    answers = [[1] * 8 + [0] * 8, [1] * 8 + [0] * 7 + [1], [0] * 16, [1] * 4 + [0] * 12]
    for score, own in zip((0.8, 0.7, 0.6, 0.5), answers, strict=True):
        label = started(ledger)
        ledger.report(label, {**report(8, score), "answers": {split: pack(np.array(own, dtype=np.uint8))}})
        ledger.end(label, TrialState.COMPLETE)
    for book in (ledger, open_(tmp_path, spec, space)):
        assert {final.name for final, _ in book.planned_finals()} == {BASELINE, KD, "t0000", "t0002"}
