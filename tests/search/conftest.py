"""A sweep that needs no model: its specification, and a ledger over a small space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.train.config import TaskSpec, Training
from raykd.workspace import Workspace, here


@pytest.fixture
def space() -> Space:
    """24 points of method kd."""
    return Space(
        name="small",
        about="for tests",
        source="none",
        dimensions=(
            Dimension("method", "fixed", ("kd",)),
            Dimension("epochs", "choice", (1, 2)),
            Dimension("learning_rate", "choice", (1e-5, 2e-5, 3e-5)),
            Dimension("temperature", "int", (1, 4)),
        ),
    )


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    """Eight trials of a task that is never loaded."""
    return SweepSpec(
        name="test",
        task=TaskSpec(name="rte", labels=("entailment", "not_entailment"), metrics=("accuracy",), primary="accuracy"),
        source="nowhere",
        fingerprint="0",
        train="train",
        dev={"dev": "dev"},
        teacher="teacher",
        teacher_name="a teacher",
        teacher_score=0.9,
        teacher_parameters=2,
        student="cut:1",
        origin="teacher",
        student_parameters=1,
        space="small",
        method=None,
        trials=8,
        training=Training(),
        concurrency=2,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
    )


@pytest.fixture
def open_ledger(tmp_path: Path, spec: SweepSpec, space: Space) -> Callable[[], Ledger]:
    """Opens the same sweep's ledger as often as a test likes: each time as a new process would find it."""
    return lambda: Ledger(Journal(tmp_path), spec, space, "trials")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is switched off here, so nothing need wait for the disk."""
    monkeypatch.setattr("raykd.search.journal.os.fsync", lambda _: None)


@pytest.fixture(params=["folder", "url"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A home that is a folder of this machine, and one in a store of which it keeps a working copy."""
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    monkeypatch.setenv("RAYKD_HOME", str(home) if request.param == "folder" else home.as_uri())
    return here()


def elsewhere(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The same home, seen from another machine."""
    return Workspace(workspace.root if workspace.url is None else tmp_path / "other machine", workspace.url)


def report(number: int, score: float, *, of: int = 8, scored: bool = True) -> dict[str, Any]:
    """What a trial of `of` evaluations says at evaluation `number`."""
    metrics = {"dev/accuracy": score}
    moments = {"seconds": float(number), "first_step": 0.0, "at": 1.8e9 + number}
    done = {"evaluation": number, "progress": number / of, "step": 10 * number}
    return {**done, "score": score, "scored": scored, "metrics": metrics, **moments}


def started(ledger: Ledger) -> str:
    """The label of the next trial."""
    spec = ledger.next()
    assert spec is not None
    return spec.label


def run(ledger: Ledger, label: str, scores: list[float]) -> bool:
    """Report `scores` as a trial would; True if it was stopped on the way."""
    return any(ledger.report(label, report(number, score)) for number, score in enumerate(scores, start=1))
