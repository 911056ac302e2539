"""Successive halving stops the trials that Optuna's would stop, and remembers by replaying what it was told."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import SuccessiveHalvingPruner

from raykd.search.halving import Halving

# Few values, so that there are ties; what is not scored is a gap.
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(-1, 1), st.just(math.nan), st.none())
STEPS = st.lists(st.tuples(st.integers(0, 7), SCORES), max_size=60)


def sequence(steps: list[tuple[int, float | None]]) -> list[tuple[int, int, float]]:
    """Trial, evaluation and score; a trial's evaluations count up, unscored ones as well."""
    counts: dict[int, int] = {}
    found = []
    for trial, score in steps:
        counts[trial] = counts.get(trial, 0) + 1
        if score is not None:
            found.append((trial, counts[trial], score))
    return found


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, grace=st.integers(1, 3), reduction=st.integers(2, 4))
def test_as_optuna(steps: list[tuple[int, float | None]], grace: int, reduction: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = SuccessiveHalvingPruner(min_resource=grace, reduction_factor=reduction, min_early_stopping_rate=0)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    trials: dict[int, optuna.Trial] = {}
    over: set[int] = set()
    halving = Halving(grace, reduction)
    for number, evaluation, score in sequence(steps):
        if number in over:
            continue
        trial = trials.setdefault(number, study.ask())
        trial.report(score, evaluation)
        stop = halving.stops(f"t{number}", evaluation, score)
        assert stop == trial.should_prune(), (number, evaluation, score)
        if stop:
            over.add(number)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)


@settings(max_examples=50, deadline=None)
@given(steps=STEPS, cut=st.integers(0, 60))
def test_replayed_it_is_the_same(steps: list[tuple[int, float | None]], cut: int) -> None:
    live, heard = Halving(2, 2), []
    over: set[int] = set()
    for trial, evaluation, score in sequence(steps)[:cut]:
        if trial not in over:
            heard.append((f"t{trial}", evaluation, score))
            if live.stops(*heard[-1]):
                over.add(trial)
    again = Halving(2, 2)
    for each in heard:
        again.stops(*each)
    assert vars(again) == vars(live)


@pytest.mark.parametrize(
    ("told", "stopped"),
    [
        ([("a", 1, 0.1), ("b", 1, 0.0)], [False, False]),  # within the grace
        ([("a", 2, 0.5), ("b", 2, 0.5)], [False, False]),  # as good as the best
        ([("a", 2, 0.5), ("b", 2, 0.4)], [False, True]),
        ([("a", 2, 0.4), ("b", 2, 0.5), ("c", 2, 0.45)], [False, False, True]),  # 1 in 2 of three is one
        ([("a", 2, 0.4), ("b", 2, 0.5), ("c", 2, 0.6), ("d", 2, 0.5)], [False, False, False, False]),
        ([("a", 2, 0.4), ("b", 2, 0.5), ("c", 2, 0.6), ("d", 2, 0.49)], [False, False, False, True]),
        ([("a", 2, 0.5), ("a", 3, 0.1), ("a", 4, 0.1)], [False, False, False]),  # 3 is no rung; 4 it reaches first
        ([("a", 4, 0.5), ("b", 2, 0.4)], [False, True]),  # one that comes late passes two rungs at once
        ([("a", 2, math.nan)], [True]),
        ([("a", 1, math.nan), ("a", 2, 0.5)], [False, False]),
    ],
)
def test_by_hand(told: list[tuple[str, int, float]], stopped: list[bool]) -> None:
    halving = Halving(2, 2)
    assert [halving.stops(*each) for each in told] == stopped


def test_a_report_of_an_earlier_evaluation_is_no_rung_again() -> None:
    halving = Halving(2, 2)
    halving.stops("a", 4, 0.5)
    before: dict[str, Any] = {"rungs": [list(rung) for rung in halving._rungs]}
    assert not halving.stops("a", 2, 0.0)
    assert before == {"rungs": halving._rungs}
