"""MLflow holds exactly one run a trial and one point a report, whatever was restored, repeated or lost on the way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from raykd.search.entry import Entry
from raykd.search.spec import SweepSpec
from raykd.tracking import reconcile
from raykd.tracking.tracker import Conclusion, Tracker, experiment_name
from raykd.train.config import TaskSpec, Training
from tests.search.conftest import report
from tests.tracking.faults import flaky

# MLflow 3.17 and what it is made of use calls that their own dependencies have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")

FINISHED, KILLED = Conclusion("FINISHED", {"teacher": 0.9}), Conclusion("KILLED", {})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(reconcile, "LONGEST_PAUSE_S", 0.05)


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


class Book:
    """What a ledger would say of trials that the test writes down."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.said: dict[str, list[dict[str, Any]]] = {}

    def put(self, label: str, state: TrialState, reports: int, **about: Any) -> str:
        settings = {"method": "kd", "alpha": 0.5, "learning_rate": 1e-5}
        self.entries[label] = Entry(label, state, 0.5, reports, settings, **about)
        self.said[label] = [report(number, number / 10) for number in range(1, reports + 1)]
        return label

    def entry(self, label: str) -> Entry:
        return self.entries[label]

    def reports(self, label: str) -> list[dict[str, Any]]:
        return self.said[label]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def track(tmp_path: Path, book: Book) -> Iterator[Callable[..., Tracker]]:
    """Makes trackers as each new process would; they are gone after the test."""
    made: list[Tracker] = []

    def make(spec: SweepSpec, said: list[str] | None = None) -> Tracker:
        heard = [] if said is None else said
        made.append(Tracker(spec, book, tmp_path / "artifacts", heard.append))
        return made[-1]

    yield make
    for tracker in made:
        die(tracker)


def die(tracker: Tracker) -> None:
    """As by a crash: nothing more comes from it."""
    tracker._reconciler.close(0)
    tracker._reconciler._thread.join(30)


def runs(database: str, spec: SweepSpec) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(database)
    experiment = client.get_experiment_by_name("raykd-rte")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`raykd.sweep` = '{spec.uid}'")
    return sorted(found, key=lambda run: run.data.tags["raykd.trial"])


def points(database: str, run: Any, metric: str = "dev/accuracy") -> list[tuple[int, float]]:
    from mlflow import MlflowClient

    history = MlflowClient(database).get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value) for point in history)


def test_parent_and_trial_once_each_after_a_restore(
    database: str, book: Book, track: Callable[..., Tracker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: a second tracker, as after a crash, adds what is missing and no run."""
    from mlflow import MlflowClient

    spec = spec_of(database, "restored")
    first = track(spec)
    first.touch(book.put("t0000", TrialState.RUNNING, 2))
    assert first._reconciler.wait(60)
    die(first)
    sent: list[int] = []
    known = MlflowClient.log_batch

    def log_batch(self: Any, run: str, metrics: Any = (), **rest: Any) -> None:
        sent.extend(sorted({metric.step for metric in metrics}))
        known(self, run, metrics, **rest)

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    second = track(spec)
    second.touch(book.put("t0000", TrialState.COMPLETE, 4, again={"died": 2}))
    (tmp_path / "curves.png").write_text("x")
    assert second.conclude(replace(FINISHED, files=(tmp_path / "curves.png",)), 60) == 0

    assert sent == [38, 50]  # what is there already is not sent again
    parent, trial = runs(database, spec)
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (parent.info.status, trial.info.status) == ("FINISHED", "FINISHED")
    assert parent.data.metrics == {"teacher": 0.9}
    assert (tmp_path / "artifacts" / parent.info.run_id / "artifacts" / "curves.png").is_file()
    assert trial.data.params["alpha"] == "0.5"
    assert trial.data.params["learning_rate"] == "1e-05"
    assert trial.data.params["epochs"] == "3.0"
    assert trial.data.tags["raykd.method"] == "kd"
    assert trial.data.tags["raykd.again.died"] == "2"
    assert points(database, trial) == [(12, 0.1), (25, 0.2), (38, 0.3), (50, 0.4)]


def test_what_a_process_died_before_writing_is_written_by_the_next(
    database: str, book: Book, track: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without its parameters; a run that is over by its tag but not yet by its status."""
    from mlflow import MlflowClient

    spec = spec_of(database, "half")
    for call, state in (("log_batch", TrialState.RUNNING), ("set_terminated", TrialState.COMPLETE)):
        with monkeypatch.context() as broken:
            broken.setattr(MlflowClient, call, lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone")))
            said: list[str] = []
            tracker = track(spec, said)
            tracker.touch(book.put("t0000", state, 1))
            end = time.monotonic() + 60
            while not said:
                assert time.monotonic() < end
                time.sleep(0.01)
            die(tracker)
    last = track(spec)
    last.touch("t0000")
    assert last.conclude(FINISHED, 60) == 0
    parent, trial = runs(database, spec)
    assert (parent.info.status, trial.info.status) == ("FINISHED", "FINISHED")
    assert parent.data.params["sampler"] == "tpe"
    assert trial.data.params["alpha"] == "0.5"


def test_a_sweep_that_is_extended_is_written(database: str, book: Book, track: Callable[..., Tracker]) -> None:
    """MLflow lets nobody change a parameter, such as the number of trials."""
    spec = spec_of(database, "extended")
    for trials in (2, 3):
        assert track(spec.model_copy(update={"trials": trials})).conclude(FINISHED, 60) == 0
    assert runs(database, spec)[0].data.params["trials"] == "2"


def test_an_interrupted_trial_does_not_stay_running(database: str, book: Book, track: Callable[..., Tracker]) -> None:
    spec = spec_of(database, "interrupted")
    for state, status in ((TrialState.RUNNING, "KILLED"), (TrialState.COMPLETE, "FINISHED")):
        tracker = track(spec)
        tracker.touch(book.put("t0000", state, 1))
        assert tracker.conclude(KILLED, 60) == 0
        assert runs(database, spec)[1].info.status == status


@pytest.mark.parametrize(
    ("state", "status"), [(TrialState.PRUNED, "KILLED"), (TrialState.FAIL, "FAILED"), (TrialState.COMPLETE, "FINISHED")]
)
def test_states(database: str, book: Book, track: Callable[..., Tracker], state: TrialState, status: str) -> None:
    spec = spec_of(database, f"state-{status}")
    tracker = track(spec)
    error = "NonFiniteLoss: loss is nan" if state is TrialState.FAIL else None
    tracker.touch(book.put("t0000", state, 1, error=error))
    assert tracker.conclude(FINISHED, 60) == 0
    trial = runs(database, spec)[1]
    assert trial.info.status == status
    assert trial.data.tags["raykd.state"] == state.name.lower()
    assert trial.data.tags.get("raykd.error") == error


def test_s12_away_for_long_and_back(tmp_path: Path, book: Book, track: Callable[..., Tracker]) -> None:
    """Nobody waits for it, it is said once each, and all of it is there in the end, once."""
    (tmp_path / "no").write_text("a file where a folder should be")
    database = f"sqlite:///{tmp_path / 'no' / 'mlflow.db'}"
    said: list[str] = []
    spec = spec_of(database, "away")
    tracker = track(spec, said)
    for count in range(1, 5):
        began = time.monotonic()
        tracker.touch(book.put("t0000", TrialState.RUNNING, count))
        assert time.monotonic() - began < 0.2
        time.sleep(0.2)
    assert tracker._reconciler.wait(0.1) is False
    assert len(said) == 1
    assert said[0].startswith("MLflow is away (")
    tracker.touch(book.put("t0000", TrialState.COMPLETE, 8))
    (tmp_path / "no").unlink()
    (tmp_path / "no").mkdir()
    assert tracker.conclude(FINISHED, 60) == 0
    assert [line.split(" after")[0] for line in said[1:]] == ["MLflow is back"]
    parent, trial = runs(database, spec)
    assert (parent.info.status, trial.info.status) == ("FINISHED", "FINISHED")
    assert len(points(database, trial)) == 8


def test_one_that_stays_away_sinks_nothing(tmp_path: Path, book: Book, track: Callable[..., Tracker]) -> None:
    (tmp_path / "no").write_text("a file where a folder should be")
    tracker = track(spec_of(f"sqlite:///{tmp_path / 'no' / 'mlflow.db'}", "away"))
    tracker.touch(book.put("t0000", TrialState.COMPLETE, 1))
    assert tracker.conclude(FINISHED, 0.5) == 2  # the sweep's own run and the trial's
    assert tracker.model is None


def test_an_experiment_that_is_deleted_meanwhile(tmp_path: Path, book: Book, track: Callable[..., Tracker]) -> None:
    """Said once as a refusal, not as an outage; nobody waits for it; restored, a resume writes all of it."""
    from mlflow import MlflowClient

    database = f"sqlite:///{tmp_path / 'own.db'}"
    said: list[str] = []
    spec = spec_of(database, "deleted")
    tracker = track(spec, said)
    tracker.touch(book.put("t0000", TrialState.RUNNING, 1))
    assert tracker._reconciler.wait(60)
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name(experiment_name("rte"))
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    tracker.touch(book.put("t0000", TrialState.COMPLETE, 8))
    began = time.monotonic()
    assert tracker.conclude(FINISHED, 600) == 2
    assert time.monotonic() - began < 60
    assert len(said) == 1
    assert said[0].startswith("MLflow refuses for good (")
    assert "active" in tracker.refusal
    client.restore_experiment(experiment.experiment_id)
    again = track(spec)
    again.touch("t0000")
    assert again.conclude(FINISHED, 60) == 0
    assert len(points(database, runs(database, spec)[1])) == 8


@pytest.mark.parametrize("seed", range(3))
def test_exactly_once_whatever_fails(
    database: str, book: Book, track: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Every call fails by a tenth before and by a tenth after it took effect; twice the whole process is lost."""
    spec = spec_of(database, f"flaky-{seed}")
    source = random.Random(seed)
    failures = flaky(monkeypatch, source, chance=0.1)
    labels = ["baseline", "t0000", "t0001", "t0002"]
    ends = dict(zip(labels, ("COMPLETE", "PRUNED", "FAIL", "COMPLETE"), strict=True))
    said: list[str] = []
    tracker = track(spec, said)
    for count in range(1, 9):
        for label in labels:
            tracker.touch(book.put(label, TrialState.RUNNING, count))
        tracker._reconciler.wait(source.uniform(0, 0.2))
        if count in (3, 6):
            die(tracker)
            tracker = track(spec, said)
    for label in labels:
        tracker.touch(book.put(label, TrialState[ends[label]], 8, error="x" if ends[label] == "FAIL" else None))
    assert tracker.conclude(Conclusion("FINISHED", {"teacher": 0.9, "best": 0.8, "undistilled": 0.7}), 120) == 0
    monkeypatch.undo()
    assert len(failures) > 10
    assert {failure.split()[0] for failure in failures} == {"before", "after"}
    found = {run.data.tags["raykd.trial"]: run for run in runs(database, spec)}
    assert len(runs(database, spec)) == len(found) == 5
    assert found[""].info.status == "FINISHED"
    assert found[""].data.params["trials"] == "2"
    assert points(database, found[""], "teacher") == [(0, 0.9)]
    statuses = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
    for label in labels:
        run = found[label]
        assert run.info.status == statuses[ends[label]]
        assert run.data.params["alpha"] == "0.5"
        assert run.data.tags["mlflow.parentRunId"] == found[""].info.run_id
        assert points(database, run) == [(round(100 * n / 8), n / 10) for n in range(1, 9)]
