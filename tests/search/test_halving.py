"""Successive halving stops those whom Optuna's would stop, and compares at equal progress, which Optuna's does not."""

from __future__ import annotations

import copy
import math

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import SuccessiveHalvingPruner

from raykd.search.halving import Halving

# Few values, so that there are ties.
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(-1, 1), st.just(math.nan))
STEPS = st.lists(st.tuples(st.integers(0, 7), SCORES), max_size=60)


def sequence(steps: list[tuple[int, float]]) -> list[tuple[int, int, float]]:
    """Trial, evaluation and score; a trial's evaluations count up."""
    counts: dict[int, int] = {}
    found = []
    for trial, score in steps:
        counts[trial] = counts.get(trial, 0) + 1
        found.append((trial, counts[trial], score))
    return found


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, grace=st.integers(1, 3), reduction=st.integers(2, 4))
def test_as_optuna(steps: list[tuple[int, float]], grace: int, reduction: int) -> None:
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
def test_replayed_it_is_the_same(steps: list[tuple[int, float]], cut: int) -> None:
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
        ([("a", 4, 0.5), ("b", 2, 0.4)], [False, False]),  # one that comes late says nothing of earlier evaluations
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
    before = copy.deepcopy(vars(halving))
    assert not halving.stops("a", 2, 0.0)
    assert before == vars(halving)


def test_the_first_who_come_late_are_compared_with_those_who_are_still_there() -> None:
    halving = Halving(1, 2)  # rungs at 1, 2 and 4
    for trial in range(8):  # one that is better comes first, so that half go on at each rung
        for evaluation in range(1, 4):
            if halving.stops(f"t{trial}", evaluation, 0.7 - 0.01 * trial):
                break
    # Only t0 is left at evaluation 3. Late trials have missed two rungs: one in four goes on.
    assert halving.stops("worse", 3, 0.6)
    assert not halving.stops("better", 3, 0.75)
    assert halving.stops("second", 3, 0.72)  # of one survivor and three late trials one and three quarters may go on


def test_many_who_come_late_are_compared_with_one_another() -> None:
    halving = Halving(1, 2)
    for evaluation in (1, 2, 3):
        assert not halving.stops("early", evaluation, 0.9)
    assert all(halving.stops(f"late {number}", 3, 0.5) for number in range(3))
    assert not halving.stops("fourth", 3, 0.6)  # the best of four
    assert halving.stops("fifth", 3, 0.55)
    assert not halving.stops("sixth", 3, 0.7)
    assert not halving.stops("fourth", 4, 0.6)  # from here on it is one of all, and the first of them to come
    assert halving.stops("sixth", 4, 0.5)


def test_one_that_would_be_among_the_best_of_the_others_goes_on_in_any_case() -> None:
    halving = Halving(1, 2)
    for trial in range(4):  # each better than those before it: all go on
        for evaluation in (1, 2, 3):
            assert not halving.stops(f"t{trial}", evaluation, 0.1 * trial)
    for number in range(4):
        assert not halving.stops(f"late {number}", 3, 0.9)
    assert not halving.stops("good", 3, 0.4)  # not among the best late ones, but it beats all four of the others
    assert halving.stops("fair", 3, 0.25)  # beats three of them


def test_many_rungs_missed_are_one_verdict() -> None:
    halving = Halving(2, 2)
    assert not halving.stops("first", 7, 0.5)
    assert halving.stops("second", 7, 0.4)
    assert not halving.stops("first", 8, 0.1)  # 8 is a rung, and nobody else is there


@pytest.mark.parametrize("score", [0.5, 0.3, 0.0])
def test_scores_no_better_than_one_answer_for_all_are_equal(score: float) -> None:
    halving = Halving(2, 2, floor=0.5)
    assert not any(halving.stops(f"t{i}", 2, 0.5) for i in range(6))
    assert not halving.stops("as bad", 2, score)
    assert not halving.stops("better", 2, 0.6)
    assert not halving.stops("another", 2, score)  # the better places are not taken: 1 of 9
    assert not any(halving.stops(f"good {i}", 2, 0.7) for i in range(8))
    assert halving.stops("last", 2, score)


@pytest.mark.parametrize("begins", [3, 5, 7])
def test_a_long_first_stage_neither_sinks_nor_saves_a_trial(begins: int) -> None:
    """Two kinds of trials with the same scores; the one has none before evaluation `begins`."""
    chance = np.random.default_rng(0)
    survived = {"early": 0, "late": 0}
    for _ in range(40):
        halving = Halving(2, 2)
        quality = {f"{kind} {i}": q for kind in survived for i, q in enumerate(chance.normal(size=60))}
        for label in chance.permutation([*quality]):
            kind = label.split()[0]
            first = begins if kind == "late" else 1
            scores = quality[label] + chance.normal(scale=0.3, size=8)
            survived[kind] += not any(halving.stops(label, e, scores[e - 1]) for e in range(first, 8))
    assert 0.9 < survived["late"] / survived["early"] < 1.1, survived
