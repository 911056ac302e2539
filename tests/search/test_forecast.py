"""Timings that a dry run waits for: not long, for one of a trial at least, and none is left running."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayError
from rich.console import Console

from raykd.models.cost import Cost
from raykd.search import forecast
from raykd.search.forecast import PATIENCE_S, TEACHER, collect, pace_of_teacher
from raykd.search.spec import SweepSpec
from raykd.search.timing import Pace
from raykd.train.config import Training


def pace(step: float, batch: int = 32) -> Pace:
    return Pace("kd", batch=batch, begin=5.0, start=1.0, step=step, row=0.01, teacher=0.02)


class Cluster:
    """Tasks that are ready after so many seconds of a clock that waiting moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ready: dict[str, float], failing: tuple[str, ...] = ()) -> None:
        self.now, self.ready, self.failing, self.cancelled = 0.0, ready, failing, list[str]()
        monkeypatch.setattr(forecast, "ray", SimpleNamespace(wait=self.wait, get=self.get, cancel=self.cancel))
        monkeypatch.setattr(forecast, "time", SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, tasks: list[str], *, timeout: float) -> tuple[list[str], list[str]]:
        first = min(tasks, key=self.ready.__getitem__)
        if self.ready[first] > self.now + timeout:
            self.now += timeout
            return [], tasks
        self.now = max(self.now, self.ready[first])
        return [first], [task for task in tasks if task != first]

    def get(self, task: str) -> Pace:
        if task in self.failing:
            raise RayError(f"{task} broke")
        return pace(self.ready[task])

    def cancel(self, task: str, *, force: bool) -> None:
        self.cancelled.append(task)


def run(cluster: Cluster, seconds: float) -> tuple[set[str], list[str], str]:
    log = Console(file=io.StringIO(), width=200)
    paces, late = collect({label: label for label in cluster.ready}, log, seconds)
    assert isinstance(log.file, io.StringIO)
    return set(paces), late, log.file.getvalue()


def test_what_is_late_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {TEACHER: 40.0, "a": 10.0, "b": 20.0, "c": 30.0})
    paces, late, said = run(cluster, 25.0)
    assert paces == {"a", "b"}
    assert late == cluster.cancelled == [TEACHER, "c"]
    assert cluster.now == 25.0
    assert "2 of 4 timings are ready after 25 s" in said


def test_one_of_a_trial_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {TEACHER: 10.0, "a": 70.0, "b": 80.0})
    paces, late, _ = run(cluster, 25.0)
    assert paces == {TEACHER, "a"}
    assert late == cluster.cancelled == ["b"]
    assert cluster.now == 70.0


def test_all_are_waited_for_where_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 70.0, "b": 80.0}, failing=("b",))
    paces, late, said = run(cluster, PATIENCE_S)
    assert (paces, late, cluster.cancelled) == ({"a"}, [], [])
    assert "b could not be timed: b broke" in said


def test_none_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 2 * PATIENCE_S})
    paces, late, _ = run(cluster, 25.0)
    assert (paces, late, cluster.now) == (set(), ["a"], PATIENCE_S)


def test_a_teacher_that_was_not_timed(spec: SweepSpec) -> None:
    """Four times the work of the student in each row, 16 rows a step where the student had 32."""
    spec = spec.model_copy(update={"costs": {"cut:1": Cost(1, 10, 1.0)}, "teacher_cost": Cost(4, 40, 4.0)})
    trials: dict[str, Any] = {label: spec.trial(label, {"method": "kd"}, "") for label in ("a", "b")}
    trials[TEACHER] = trials["a"].model_copy(update={"training": Training(batch_size=16)})
    teacher = pace_of_teacher(spec, trials, {"a": pace(0.8), "b": pace(0.6)})
    assert teacher.step == pytest.approx(4 * 0.6 / 2)
    assert teacher.row == pytest.approx(4 * 0.01)
    assert teacher.batch == 16
