"""The book of a sweep tells Optuna what happened, and survives the death of its process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import TrialState

from raykd.search.ledger import BASELINE, Ledger

Open = Callable[[], Ledger]


def run(ledger: Ledger, label: str, scores: list[float]) -> bool:
    """Report `scores` as a trial would; True if it was stopped on the way."""
    return any(ledger.report(label, number, score, may_stop=True) for number, score in enumerate(scores, start=1))


def started(ledger: Ledger) -> str:
    spec = ledger.next()
    assert spec is not None
    return spec.label


def test_the_baseline_comes_first_with_the_largest_budget_and_is_never_stopped(open_ledger: Open) -> None:
    ledger = open_ledger()
    first = ledger.next()
    assert first is not None
    assert first.label == BASELINE
    assert first.method == "none"
    assert first.parameters == {}
    assert first.training.epochs == 2
    for _ in range(3):
        run(ledger, label := started(ledger), [0.9] * 8)
        ledger.end(label, TrialState.COMPLETE)
    assert not run(ledger, BASELINE, [0.1] * 8)


def test_optuna_is_told_the_truth(open_ledger: Open, tmp_path: Path) -> None:
    """S9: stopped is PRUNED with its steps, NaN is FAIL without a value, done is COMPLETE."""
    ledger = open_ledger()
    started(ledger)
    done, stopped, failed = (started(ledger) for _ in range(3))
    assert not run(ledger, done, [0.5, 0.6, 0.7, 0.8])
    ledger.end(done, TrialState.COMPLETE)
    assert run(ledger, stopped, [0.4, 0.41, 0.42])
    assert not run(ledger, failed, [0.9])
    ledger.end(failed, TrialState.FAIL, error="NonFiniteLoss: loss is nan at step 12 of 30; last good value 0.5")
    study = optuna.load_study(study_name="test", storage=f"sqlite:///{tmp_path / 'study.db'}")
    states = [(trial.state, trial.value, trial.intermediate_values) for trial in study.trials]
    assert states[0] == (TrialState.COMPLETE, 0.8, {1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8})
    assert states[1] == (TrialState.PRUNED, 0.41, {1: 0.4, 2: 0.41})
    assert states[2] == (TrialState.FAIL, None, {1: 0.9})
    assert "step 12" in study.trials[2].user_attrs["error"]


def test_a_trial_is_not_stopped_before_its_grace_or_in_an_unscored_stage(open_ledger: Open) -> None:
    ledger = open_ledger()
    started(ledger)
    good, bad = started(ledger), started(ledger)
    run(ledger, good, [0.9, 0.9])
    assert not ledger.report(bad, 1, 0.1, may_stop=True)
    assert not ledger.report(bad, 2, 0.1, may_stop=False)
    assert ledger.report(bad, 4, 0.1, may_stop=True)


def test_the_same_report_twice_counts_once(open_ledger: Open) -> None:
    ledger = open_ledger()
    started(ledger)
    label = started(ledger)
    ledger.report(label, 1, 0.5, may_stop=True)
    ledger.report(label, 1, 0.5, may_stop=True)
    entry = next(entry for entry in ledger.entries() if entry.label == label)
    assert (entry.evaluation, entry.score) == (1, 0.5)


def test_a_late_report_of_a_stopped_trial_changes_nothing(open_ledger: Open) -> None:
    ledger = open_ledger()
    started(ledger)
    run(ledger, started(ledger), [0.9, 0.9])
    stopped = started(ledger)
    assert run(ledger, stopped, [0.1, 0.1])
    assert ledger.report(stopped, 3, 1.0, may_stop=True)
    ledger.end(stopped, TrialState.COMPLETE)
    entry = next(entry for entry in ledger.entries() if entry.label == stopped)
    assert (entry.state, entry.evaluation) == (TrialState.PRUNED, 2)


def test_a_new_process_goes_on_where_the_dead_one_was(open_ledger: Open) -> None:
    """S5: same trials, none twice, those under way first, the proposals those of a sweep that was never interrupted."""
    dead = open_ledger()
    before = [dead.next() for _ in range(4)]
    labels = [spec.label for spec in before if spec]
    for label in labels[:2]:
        run(dead, label, [0.5] * 8)
        dead.end(label, TrialState.COMPLETE)
    dead.report(labels[2], 1, 0.7, may_stop=True)

    alive = open_ledger()
    again = [alive.next(), alive.next()]
    assert again == before[2:]
    assert not alive.report(labels[2], 1, 0.7, may_stop=True)
    rest = []
    while (spec := alive.next()) is not None:
        rest.append(spec)
    settings = [str(entry.settings) for entry in alive.entries()]
    assert alive.exhausted
    assert len(settings) == len(set(settings)) == 9
    assert [spec.label for spec in rest] == ["t0003", "t0004", "t0005", "t0006", "t0007"]


def test_a_finite_space_ends_the_sweep(open_ledger: Open, tmp_path: Path) -> None:
    ledger = open_ledger()
    ledger.spec = ledger.spec.model_copy(update={"trials": 100})
    count = 0
    while ledger.next() is not None:
        count += 1
    assert count == 1 + 24
    assert ledger.exhausted
