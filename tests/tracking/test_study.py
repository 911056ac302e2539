"""The Optuna study is like the ledger, and can be made again from it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from raykd.search.journal import Journal
from raykd.search.ledger import BASELINE, Ledger
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tracking.study import StudyMirror, study_name
from tests.search.conftest import report, started
from tests.tracking.mirrored import about, assert_like, ledger, mirrored, play, quick, space, spec, study

__all__ = ["ledger", "mirrored", "quick", "space", "spec"]


@pytest.mark.parametrize("wait", [False, True], ids=["as it comes", "one by one"])
def test_it_is_like_the_ledger(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror], wait: bool
) -> None:
    mirror = mirrored()
    play(ledger, mirror, wait)
    assert mirror.close(30) == 0
    assert_like(ledger, tmp_path)
    states = [trial.state for trial in study(tmp_path)]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]


def test_scores_that_are_no_numbers(tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror]) -> None:
    mirror = mirrored()
    started(ledger)
    label = started(ledger)
    mirror.touch(BASELINE)
    mirror.touch(label)
    ledger.report(label, report(1, math.nan))
    mirror.touch(label)
    mirror._reconciler.wait(10)
    assert ledger.report(label, report(2, math.nan))
    mirror.touch(label)
    assert mirror.close(30) == 0
    trial = study(tmp_path)[0]
    assert trial.state is TrialState.PRUNED
    assert all(math.isnan(value) for value in trial.intermediate_values.values())
    assert list(trial.intermediate_values) == [1, 2]


def test_a_second_process_goes_on_without_duplicates(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror]
) -> None:
    first = mirrored()
    play(ledger, first)
    assert first.close(30) == 0
    label = ledger.running[-1]
    ledger.report(label, report(2, 0.8))
    ledger.report(label, report(8, 0.9))
    ledger.end(label, TrialState.COMPLETE)
    second = mirrored()
    for entry in ledger.entries():
        second.touch(entry.label)
    assert second.close(30) == 0
    assert_like(ledger, tmp_path)


def test_two_sweeps_in_one_database(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """In a database that others use as well a study is called by the sweep's identity too: names repeat in homes."""
    uri = f"sqlite:///{tmp_path / 'all.db'}"
    ledgers = []
    for name in ("a", "b"):
        own = SweepSpec.model_validate(spec.model_dump(exclude={"uid"}) | {"study_uri": uri})
        ledger = Ledger(Journal(tmp_path / name), own, space, "trials")
        mirror = StudyMirror(own, uri, ledger.frozen, pytest.fail)
        play(ledger, mirror)
        assert mirror.close(30) == 0
        ledgers.append(ledger)
    storage = optuna.storages.RDBStorage(uri)
    names = {summary.study_name for summary in optuna.get_all_study_summaries(storage)}
    assert names == {study_name(ledger.spec) + part for ledger in ledgers for part in ("", "/baseline")}
    assert len(names) == 4
    for ledger in ledgers:
        found = optuna.load_study(study_name=study_name(ledger.spec), storage=storage).trials
        assert [about(trial) for trial in found] == [about(ledger.frozen(e.label)) for e in ledger.entries()[1:]]
    storage.remove_session()
    storage.engine.dispose()


def test_no_connection_is_left_open(
    ledger: Ledger, mirrored: Callable[..., StudyMirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PostgreSQL driver warns of each that is forgotten; only the thread that used a session can give it back."""
    threads: set[str] = set()
    known = optuna.storages.RDBStorage.remove_session

    def remove_session(self: optuna.storages.RDBStorage) -> None:
        threads.add(threading.current_thread().name)
        known(self)

    monkeypatch.setattr(optuna.storages.RDBStorage, "remove_session", remove_session)
    mirror = mirrored()
    play(ledger, mirror)
    mirror._reconciler.wait(30)
    assert threads == {mirror._reconciler._thread.name}
    assert mirror._storage is not None
    pool = mirror._storage.engine.pool
    assert pool.checkedout() == 0  # type: ignore[attr-defined]
    assert pool.checkedin() > 0  # type: ignore[attr-defined]
    mirror.close(10)
    assert mirror._storage.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
