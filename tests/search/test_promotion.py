"""Pausing and promoting: who waits, who goes on and when, and that a crash changes nothing of it."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState

from raykd.search.conductor import Conductor
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.promotion import Promotion
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from tests.search.conftest import report, started
from tests.search.test_conductor import Seen

pytestmark = pytest.mark.usefixtures("quick")


def test_the_first_waits_until_another_is_worse() -> None:
    found = Promotion(2, 2)
    assert not found.waits("a", 1, 0.9)  # no rung
    assert found.waits("a", 2, 0.5)
    assert found.next() is None
    assert found.waits("b", 2, 0.4)
    assert found.next() == "a"
    found.goes_on("a")
    assert found.next() is None
    assert not found.waits("c", 2, 0.9) or found.next() == "c"


def test_one_in_reduction_goes_on() -> None:
    found = Promotion(1, 3)
    chance = np.random.default_rng(0)
    went = set()
    for number, score in enumerate(chance.permutation(90)):
        label = f"t{number}"
        if not found.waits(label, 1, float(score)):
            went.add((label, score))
        while (chosen := found.next()) is not None:
            found.goes_on(chosen)
            went.add((chosen, score))
    assert 30 <= len(went) <= 40  # the best 30, and a few who led for a while


def test_the_farthest_go_first() -> None:
    found = Promotion(1, 2)
    for label, score in (("a", 0.5), ("b", 0.4), ("c", 0.3)):
        found.waits(label, 1, score)
    found.goes_on("a")
    assert found.waits("a", 2, 0.5)
    found.goes_on("b")
    assert found.waits("b", 2, 0.1)
    found.waits("d", 1, 0.45)
    assert found.next() == "a"  # of rung 2, though d leads at rung 1 too


def test_trials_are_compared_among_their_like() -> None:
    found = Promotion(2, 2)
    assert found.waits("large", 2, 0.9, "cut:4")
    assert found.waits("small", 2, 0.5, "cut:1")
    assert found.next() is None  # each is alone with its like
    assert found.best() == "large"
    assert found.waits("smaller", 2, 0.4, "cut:1")
    assert found.next() == "small"
    found.goes_on("small")
    assert found.next() is None
    assert found.waits("small", 4, 0.5, "cut:1")
    assert found.best() == "small"  # farthest


def test_what_says_nothing_carries_nobody_on() -> None:
    found = Promotion(1, 2, floor=0.5)
    assert all(found.waits(f"t{i}", 1, 0.5) for i in range(10))
    assert found.next() is None
    assert found.best() == "t0"
    assert not found.waits("good", 1, 0.6)
    assert found.waits("nan", 1, math.nan)
    assert found.next() is None


def test_told_again_it_changes_nothing() -> None:
    found = Promotion(1, 2)
    found.waits("a", 1, 0.5)
    before = copy.deepcopy(vars(found))
    assert not found.waits("a", 1, 0.5)
    assert vars(found) == before


@pytest.fixture
def spec(spec: SweepSpec) -> SweepSpec:
    return spec.model_copy(update={"pruner": "promotion", "trials": 6, "finalists": 1, "final_seeds": 1})


def open_(folder: Path, spec: SweepSpec, space: Space) -> Ledger:
    return Ledger(Journal(folder), spec, space, "trials")


def play(ledger: Ledger, scores: dict[str, float], stop_after: int = 10**6) -> list[tuple[str, int]]:
    """One trial at a time, each with its score at every evaluation, until `stop_after` reports; who was told to wait
    (or had come to the end) and where."""
    told: list[tuple[str, int]] = []
    reports = 0
    while reports < stop_after and (spec := ledger.next()) is not None:
        assert spec.pauses == 2
        for number in range(1, 9):
            reports += 1
            if ledger.report(spec.label, report(number, scores.get(spec.label, 0.1))):
                told.append((spec.label, number))
                break
            if reports >= stop_after:
                return told
        else:
            ledger.end(spec.label, TrialState.COMPLETE)
            told.append((spec.label, 8))
    return told


SCORES = {f"t{i:04d}": score for i, score in enumerate((0.3, 0.6, 0.4, 0.5, 0.2, 0.1))}


def test_a_sweep(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    told = play(ledger, SCORES)
    assert told[0] == ("baseline", 8)
    assert ("t0001", 8) in told
    assert [label for label, where in told if label == "t0000"] == ["t0000"]  # it waited at 2, and in vain
    states = {entry.label: entry.state for entry in ledger.entries()}
    assert states["t0000"] is TrialState.PRUNED
    assert states["t0001"] is TrialState.COMPLETE
    assert {"baseline-s1", "kd-s1", "t0001-s1"} <= states.keys()
    assert not ledger.running
    assert ledger.exhausted
    assert {"t0000", "t0005"} <= set(ledger.dismissed())
    assert ledger.dismissed() == []


@pytest.mark.parametrize("after", [1, 5, 9, 10, 11, 14, 20, 26, 30, 40])
def test_a_crash_changes_nothing(tmp_path: Path, spec: SweepSpec, space: Space, after: int) -> None:
    whole = open_(tmp_path / "whole", spec, space)
    play(whole, SCORES)
    play(open_(tmp_path / "cut", spec, space), SCORES, stop_after=after)
    again = open_(tmp_path / "cut", spec, space)
    assert not set(again._waiting) & set(again._paused)
    play(again, SCORES)
    ends = [{e.label: (e.state, e.score, e.settings) for e in one.entries()} for one in (whole, again)]
    assert ends[0] == ends[1]


def test_waiting_ones_teach_as_stopped_ones_do(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    started(ledger)
    label = started(ledger)
    assert ledger.report(label, report(2, 0.5))
    assert [trial.state for trial in ledger._history()] == [TrialState.PRUNED]
    assert ledger.entry(label).state is TrialState.RUNNING
    other = started(ledger)
    assert ledger.report(other, report(2, 0.4))
    assert started(ledger) == label
    assert sorted(trial.state.name for trial in ledger._history()) == ["PRUNED", "RUNNING"]


def test_if_nothing_was_learnt_one_goes_to_the_end(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec.model_copy(update={"floor": 0.5}), space)
    told = play(ledger, {})
    assert [label for label, where in told if where == 8 and label.startswith("t") and "-" not in label] == ["t0000"]


def test_the_conductor_cleans_who_waited_in_vain(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    seen = Seen()
    conductor = Conductor(open_(tmp_path, spec, space), [seen], seen, seen.clean)
    while (run := conductor.start()) is not None:
        for number in range(1, 9):
            if conductor.reported(run.label, report(number, SCORES.get(run.label, 0.1))):
                conductor.lost(run.label, "died", "late")  # its worker went, as it should
                break
        else:
            conductor.finished(run.label)
    assert conductor.ledger.exhausted
    assert ("t0005", True) in seen.cleaned
    assert ("t0001", True) not in seen.cleaned
    assert all(entry.state is not TrialState.FAIL for entry in conductor.ledger.entries())
