"""A sweep that needs no model: its specification, and a ledger over a small space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from raykd.search.ledger import Ledger
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.train.config import TaskSpec, Training


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
def open_ledger(tmp_path: Path, spec: SweepSpec, space: Space) -> Iterator[Callable[[], Ledger]]:
    """Opens the same sweep's ledger as often as a test likes: each time as a new process would find it."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Ledger(tmp_path, spec, space)))
