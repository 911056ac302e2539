"""A ledger and its mirror in a SQLite file, and whether they are alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tracking import reconcile
from raykd.tracking.study import StudyMirror, study_uri
from tests.search.conftest import report, space, spec, started

__all__ = ["space", "spec"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(reconcile, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr("raykd.search.journal.os.fsync", lambda _: None)


@pytest.fixture
def ledger(tmp_path: Path, spec: SweepSpec, space: Space) -> Ledger:
    return Ledger(Journal(tmp_path), spec, space, "trials")


@pytest.fixture
def mirrored(tmp_path: Path, ledger: Ledger) -> Iterator[Callable[..., StudyMirror]]:
    """Opens a mirror of the ledger, as each new process would."""
    made: list[StudyMirror] = []

    def make(said: list[str] | None = None) -> StudyMirror:
        heard = [] if said is None else said
        made.append(StudyMirror(ledger.spec, study_uri(tmp_path), ledger.frozen, heard.append))
        return made[-1]

    yield make
    for mirror in made:
        mirror.close(0)


def play(ledger: Ledger, mirror: StudyMirror | None = None, wait: bool = False) -> None:
    """The baseline, and trials of which one completes, one is stopped, one fails and one is under way."""
    labels = [started(ledger) for _ in range(5)]

    def touch(label: str) -> None:
        if mirror is not None:
            mirror.touch(label)
            if wait:
                mirror._reconciler.wait(10)

    for label in labels:
        touch(label)
    for label, scores in zip(labels, ([0.5] * 8, [0.6] * 8, [0.4] * 2, [0.9], [0.7]), strict=True):
        for number, score in enumerate(scores, start=1):
            ledger.report(label, report(number, score))
            touch(label)
    for label in labels[:2]:
        ledger.end(label, TrialState.COMPLETE)
        touch(label)
    ledger.again(labels[3], "died")
    ledger.end(labels[3], TrialState.FAIL, error="NonFiniteLoss: loss is nan at step 3")
    touch(labels[3])


def study(folder: Path, name: str = "test") -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(study_uri(folder))
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def about(trial: FrozenTrial) -> tuple[Any, ...]:
    steps = {step: None if math.isnan(value) else value for step, value in trial.intermediate_values.items()}
    return trial.state, trial.params, steps, trial.value, trial.user_attrs


def assert_like(ledger: Ledger, folder: Path) -> None:
    wanted = [about(ledger.frozen(entry.label)) for entry in ledger.entries()]
    assert [about(trial) for trial in study(folder)] == wanted[1:]
    assert [about(trial) for trial in study(folder, "test/baseline")] == wanted[:1]
