"""MLflow holds exactly one run a trial, whatever was restored, repeated or lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from raykd.search.ledger import Entry
from raykd.search.spec import SweepSpec
from raykd.tracking.tracker import Tracker
from raykd.train.config import TaskSpec, Training

# MLflow 3.17 and what it is made of use calls that their own dependencies have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def spec_of(database: str, name: str) -> SweepSpec:
    task = TaskSpec(name="rte", labels=("a", "b"), metrics=("accuracy",), primary="accuracy")
    return SweepSpec(
        name=name, task=task, source="s", fingerprint="f", train="t", dev={}, teacher="t", teacher_name="t",
        teacher_score=0.9, teacher_parameters=1, student="cut:1", origin="t", student_parameters=1,
        space="kd", method="kd", trials=2, training=Training(), concurrency=1, tracking_uri=database,
    )  # fmt: skip


def write_reports(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {"evaluation": i, "progress": i / 8, "score": i / 10, "seconds": i, "metrics": {"dev/accuracy": i / 10}}
        )
        for i in range(1, count + 1)
    ]
    (folder / "reports.jsonl").write_text("\n".join(lines) + "\n")


def entry(state: TrialState, error: str | None = None) -> Entry:
    return Entry("t0000", state, 0.5, 3, {"method": "kd", "alpha": 0.5, "learning_rate": 1e-5}, error)


def runs(database: str, spec: SweepSpec) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(database)
    experiment = client.get_experiment_by_name("raykd-rte")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`raykd.sweep` = '{spec.uid}'")
    return sorted(found, key=lambda run: run.data.tags["raykd.trial"])


def test_parent_and_trial_once_each_after_a_restore(database: str, tmp_path: Path) -> None:
    """S13: a second tracker, as after a crash, adds what is missing and no run."""
    from mlflow import MlflowClient

    spec = spec_of(database, "restored")
    folder = tmp_path / "trials" / "t0000"
    write_reports(folder, 2)
    first = Tracker(spec, tmp_path, tmp_path / "artifacts")
    first.sync(entry(TrialState.RUNNING))
    assert first.wait(60)
    first._thread.shutdown(wait=True)  # as after a crash: nothing more comes from it

    write_reports(folder, 4)
    second = Tracker(spec, tmp_path, tmp_path / "artifacts")
    second.sync(entry(TrialState.RUNNING))
    second.sync(entry(TrialState.COMPLETE))
    second.close("FINISHED")

    parent, trial = runs(database, spec)
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (parent.info.status, trial.info.status) == ("FINISHED", "FINISHED")
    assert trial.data.params["alpha"] == "0.5"
    assert trial.data.params["learning_rate"] == "1e-05"
    assert trial.data.params["epochs"] == "3.0"
    assert trial.data.tags["raykd.method"] == "kd"
    history = MlflowClient(database).get_metric_history(trial.info.run_id, "dev/accuracy")
    assert sorted((metric.step, metric.value) for metric in history) == [(12, 0.1), (25, 0.2), (38, 0.3), (50, 0.4)]


def test_an_interrupted_trial_does_not_stay_running(database: str, tmp_path: Path) -> None:
    spec = spec_of(database, "interrupted")
    write_reports(tmp_path / "trials" / "t0000", 1)
    for state, status in ((TrialState.RUNNING, "KILLED"), (TrialState.COMPLETE, "FINISHED")):
        tracker = Tracker(spec, tmp_path, tmp_path / "artifacts")
        tracker.sync(entry(state))
        tracker.close("KILLED")
        assert runs(database, spec)[1].info.status == status


@pytest.mark.parametrize(
    ("state", "status"), [(TrialState.PRUNED, "KILLED"), (TrialState.FAIL, "FAILED"), (TrialState.COMPLETE, "FINISHED")]
)
def test_states(database: str, tmp_path: Path, state: TrialState, status: str) -> None:
    spec = spec_of(database, f"state-{status}")
    write_reports(tmp_path / "trials" / "t0000", 1)
    tracker = Tracker(spec, tmp_path, tmp_path / "artifacts")
    tracker.sync(entry(state, "NonFiniteLoss: loss is nan" if state is TrialState.FAIL else None))
    tracker.close("FINISHED")
    trial = runs(database, spec)[1]
    assert trial.info.status == status
    assert trial.data.tags["raykd.state"] == state.name.lower()
    assert ("raykd.error" in trial.data.tags) == (state is TrialState.FAIL)


def test_a_store_that_cannot_be_reached_sinks_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = spec_of(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'x.db'}", "away")
    (tmp_path / "no").write_text("a file where a folder should be")
    tracker = Tracker(spec, tmp_path, tmp_path / "artifacts")
    tracker.sync(entry(TrialState.COMPLETE))
    tracker.close("FINISHED")
    assert "MLflow did not take" in caplog.text
    assert tracker.parent is None
