"""Timings that a dry run waits for: not long, for one at least, and none is left running."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from ray.exceptions import RayError
from rich.console import Console

from raykd.search import forecast
from raykd.search.forecast import PATIENCE_S, collect
from raykd.search.timing import Pace


def pace(step: float) -> Pace:
    return Pace("kd", batch=32, begin=5.0, start=1.0, step=step, row=0.01, teacher=0.02)


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


def run(cluster: Cluster, seconds: float) -> tuple[set[str], str]:
    log = Console(file=io.StringIO(), width=200)
    paces = collect({label: label for label in cluster.ready}, log, seconds)
    assert isinstance(log.file, io.StringIO)
    return set(paces), log.file.getvalue()


def test_what_is_late_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0})
    paces, said = run(cluster, 25.0)
    assert paces == {"a", "b"}
    assert cluster.cancelled == ["c", "d"]
    assert cluster.now == 25.0
    assert "2 of 4 timings are ready after 25 s" in said


def test_the_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 70.0, "b": 80.0})
    assert run(cluster, 25.0)[0] == {"a"}
    assert cluster.cancelled == ["b"]
    assert cluster.now == 70.0


def test_all_are_waited_for_where_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 70.0, "b": 80.0}, failing=("b",))
    paces, said = run(cluster, PATIENCE_S)
    assert (paces, cluster.cancelled) == ({"a"}, [])
    assert "b could not be timed: b broke" in said


def test_none_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, {"a": 2 * PATIENCE_S})
    assert run(cluster, 25.0)[0] == set()
    assert (cluster.cancelled, cluster.now) == (["a"], PATIENCE_S)
