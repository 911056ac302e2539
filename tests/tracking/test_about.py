"""What MLflow's pages say of an experiment, a sweep, a trial and a champion beside their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from raykd.models.cost import Cost
from raykd.report.saved import Saved
from raykd.search.scores import tags_of
from raykd.search.spec import SweepSpec
from raykd.tracking import tracker as tracking
from raykd.tracking.about import NOTE, made_by, version_note
from raykd.tracking.tracker import Conclusion, Tracker
from tests.tracking.test_tracker import Book, database, die, points, runs, spec_of

__all__ = ["database"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")

STUDENT, TEACHER = Cost(400_000, 13_700_000, 1.1), Cost(800_000, 27_400_000, 2.5)


@pytest.fixture
def spec(database: str, request: pytest.FixtureRequest) -> SweepSpec:
    known = {"costs": {"cut:1": STUDENT}, "teacher_cost": TEACHER, "finalists": 3, "final_seeds": 2}
    known |= {"dev": {"dev": "d"}}
    return spec_of(database, request.node.name[:60]).model_copy(update=known)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def tracker(spec: SweepSpec, book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    monkeypatch.setattr(tracking, "register", lambda *_, **__: "models:/raykd-rte@champion")
    made = Tracker(spec, book, tmp_path / "artifacts", lambda _: None)
    yield made
    die(made)


def experiment(database: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(database).get_experiment_by_name("raykd-rte")


def test_an_experiment_says_what_it_is(database: str, tracker: Tracker) -> None:
    from mlflow import MlflowClient

    assert tracker.conclude(Conclusion("FINISHED", {}), 60) == 0
    found = experiment(database)
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "task `rte`" in found.tags[NOTE]
    MlflowClient(database).set_experiment_tag(found.experiment_id, NOTE, "ours")
    again = Tracker(tracker.spec, tracker.book, tracker.artifacts, lambda _: None)
    assert again.conclude(Conclusion("FINISHED", {}), 60) == 0
    assert experiment(database).tags[NOTE] == "ours"


def test_a_sweep_under_way_and_at_its_end(
    database: str, spec: SweepSpec, book: Book, tracker: Tracker, tmp_path: Path
) -> None:
    assert tracker._reconciler.wait(60)
    (parent,) = runs(database, spec)
    assert parent.data.tags[NOTE].startswith("Under way. `cut:1` learns from `t` (accuracy 0.9000).")
    assert (parent.data.params["finalists"], parent.data.params["aim"]) == ("3", "best score")
    assert [(one.dataset.name, one.dataset.digest) for one in parent.inputs.dataset_inputs] == [("rte", "f")]
    assert made_by().items() <= parent.data.tags.items()
    tracker.touch(book.put("t0000", TrialState.COMPLETE, 1))
    (tmp_path / "report.html").write_text("x")
    end = Conclusion("FINISHED", {"teacher": 0.9}, (tmp_path / "report.html",), note="**It won.**")
    end = replace(end, student=tmp_path, tags={"raykd.trial": "t0000", "raykd.score": "0.5"})
    assert tracker.conclude(end, 60) == 0
    parent = runs(database, spec)[0]
    said, links = parent.data.tags[NOTE].split("\n\nMore: ")
    assert said == "**It won.**"
    assert f"/runs/{parent.info.run_id}/artifacts/report.html)" in links
    assert "(#/models/raykd-rte)" in links
    assert parent.data.metrics["student_cost/parameters"] == 400_000
    assert parent.data.metrics["teacher_cost/latency_ms"] == 2.5


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (TrialState.COMPLETE, "Score 0.5000."),
        (TrialState.PRUNED, "Stopped early, after 25% of its training, as others were ahead."),
        (TrialState.FAIL, "Failed: its loss is no number"),
    ],
)
def test_a_trial_is_named_described_and_priced(
    database: str, spec: SweepSpec, book: Book, tracker: Tracker, state: TrialState, says: str
) -> None:
    error = "its loss is no number\nTraceback" if state is TrialState.FAIL else None
    for label in ("baseline", "kd-s1", "t0001-s2"):
        tracker.touch(book.put(label, TrialState.COMPLETE, 1))
    tracker.touch(book.put("t0001", TrialState.RUNNING, 1))
    tracker._reconciler.wait(60)
    running = runs(database, spec)[3]
    assert running.data.tags[NOTE] == "A trial of the search: `cut:1`, kd alpha=0.5 learning_rate=1e-05."
    tracker.touch(book.put("t0001", state, 2, error=error))
    assert tracker.conclude(Conclusion("FINISHED", {}), 60) == 0
    found = runs(database, spec)[1:]
    names = [f"{spec.name}/{name}" for name in ("baseline", "kd-s1", "t0001 kd", "t0001-s2 kd")]
    assert [run.info.run_name for run in found] == names
    assert found[2].data.tags[NOTE] == f"{running.data.tags[NOTE]}\n\n{says}"
    assert found[3].data.tags[NOTE].startswith("A run on a fresh seed: ")
    assert points(database, found[2], "student_cost/flops") == [(0, 13_700_000.0)]


def test_a_champion_names_its_run_its_own_scores_and_the_means_of_its_seeds(spec: SweepSpec, book: Book) -> None:
    entry = book.entry(book.put("t0000-s2", TrialState.COMPLETE, 1))
    two = spec.model_copy(update={"dev": {"select": "s", "dev": "d"}})
    saved = Saved("t0000-s2", "accuracy", {"select": 0.75, "dev": 0.8119}, {"select": 0.74, "dev": 0.8031}, 3)
    tags = tags_of(saved)
    assert tags == {
        "raykd.trial": "t0000-s2", "raykd.score": "0.811900", "raykd.score_select": "0.750000",
        "raykd.mean": "0.803100", "raykd.mean_select": "0.740000", "raykd.seeds": "3",
    }  # fmt: skip
    assert version_note(two, tags, entry).startswith(
        f"Champion of sweep `{spec.name}`, run t0000-s2; its own score: 0.8119 accuracy on dev (0.7500 on select); "
        "the mean over 3 fresh seeds: 0.8031 accuracy on dev (0.7400 on select); `cut:1` of `t`, kd"
    )
    alone = tags_of(Saved("t0000", "accuracy", {"dev": 0.5}, {}, 1))
    assert "run t0000-s2; its own score: 0.5000 accuracy on dev; `cut:1` of" in version_note(spec, alone, entry)
    refused = version_note(spec, {"raykd.trial": "t0"}, entry, "It learnt nothing.")
    assert refused.startswith(f"Best student of sweep `{spec.name}`, run t0000-s2; `cut:1` of")
    assert refused.endswith("\n\nIt learnt nothing.")


def test_one_that_learnt_nothing_is_registered_without_the_alias(
    database: str, spec: SweepSpec, book: Book, tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[str, Any] = {}

    def register(student: Path, **how: Any) -> str:
        heard.update(how)
        return "models:/raykd-rte/4"

    monkeypatch.setattr(tracking, "register", register)
    tracker.touch(book.put("t0000", TrialState.COMPLETE, 1))
    end = Conclusion("FINISHED", {"saved/dev": 0.5}, student=tmp_path, tags={"raykd.trial": "t0000"}, note="n")
    assert tracker.conclude(replace(end, refused="No better than always saying 'a'."), 60) == 0
    assert heard["alias"] is False
    assert heard["notes"][1].endswith("No better than always saying 'a'.")
    assert heard["task"] == spec.task
    parent = runs(database, spec)[0]
    assert parent.data.tags["raykd.saved"] == "t0000"
    assert parent.data.metrics["saved/dev"] == 0.5
    assert "[the saved model](#/models/raykd-rte)" in parent.data.tags[NOTE]
