"""What is asked of a sweep before anything is trained: hardware, addresses, to begin or to go on."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from raykd.errors import UserError
from raykd.search import launch
from raykd.search.hardware import Asked, check_shares, fit_here
from raykd.search.how import How
from raykd.search.room import Room, room
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.train.config import Training
from raykd.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")


@pytest.mark.parametrize(("asked", "problem"), [
    (Asked(workers=0), "workers-per-trial 0: at least 1"),
    (Asked(concurrency=0), "concurrency 0: at least 1"),
    (Asked(gpus_per_worker=-1), "gpus-per-worker -1: 0 or more"),
    (Asked(gpus_per_worker=float("nan")), "gpus-per-worker nan: 0 or more"),
    (Asked(gpus_per_worker=float("inf")), "gpus-per-worker inf: 0 or more"),
    (Asked(wait=5), "only a cluster"),
    (Asked("auto", wait=-5), "wait-for-nodes -5: 0 seconds or more"),
    (Asked("auto", wait=float("nan")), "wait-for-nodes nan: 0 seconds or more"),
])  # fmt: skip
def test_hardware_that_cannot_be(asked: Asked, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        asked.check()


def test_hardware_all_problems_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as refused:
        Asked(None, 0, 0, -1.0, 3.0).check()
    assert len(refused.value.problems) == 4
    Asked("auto", 3, 2, 0.5, 3.0).check()
    monkeypatch.setattr("raykd.search.hardware.available_cpus", lambda: 4)
    monkeypatch.setattr("raykd.search.hardware.torch.cuda.device_count", lambda: 2)
    with pytest.raises(UserError) as refused:
        fit_here(Asked(workers=5, gpus_per_worker=1))
    assert refused.value.problems == (
        "workers-per-trial 5: 4 cores may be used here, so 1 to 4",
        "gpus-per-worker 1 x 5 workers: this machine has 2 GPUs",
    )
    assert fit_here(Asked()) == (2, 1.0)
    assert fit_here(Asked(gpus_per_worker=0.5)) == (4, 0.5)
    assert fit_here(Asked(gpus_per_worker=0, workers=2)) == (2, 0.0)
    assert fit_here(Asked(concurrency=1)) == (1, 1.0)
    assert fit_here(Asked(concurrency=9)) == (2, 1.0)


def test_workers_share_a_batch_evenly(space: Space) -> None:
    check_shares(space, Training(batch_size=32), 4)
    with pytest.raises(UserError, match="batch_size 32: does not divide among 3"):
        check_shares(space, Training(batch_size=32), 3)
    searched = Space("s", "", "", (Dimension("batch_size", "choice", (8, 9, 10)),))
    with pytest.raises(UserError, match="batch_size 9: does not divide among 2"):
        check_shares(searched, Training(batch_size=32), 2)


@pytest.mark.parametrize(("tracking", "study", "problem"), [
    ("http://me:secret@host:5000", None, "tracking-uri holds a password: put it into MLFLOW_TRACKING_USERNAME"),
    ("postgresql://me:secret@host/db", None, "tracking-uri holds a password"),
    ("http://host", "postgresql+psycopg://me:secret@host/db", "study-uri holds a password: put it into PGPASSWORD"),
    ("http://host", "study.db", "study-uri 'study.db': a database address such as"),
])  # fmt: skip
def test_addresses_that_would_be_kept_with_a_password(tracking: str, study: str | None, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as refused:
        launch._check_uris(tracking, study)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("tracking", ["sqlite:////x/mlflow.db", "http://me@host:5000", "http://[::1]:5000", "x"])
def test_addresses_that_are_fine(tracking: str) -> None:
    launch._check_uris(tracking, None)
    launch._check_uris(tracking, "postgresql+psycopg://me@host/db")


def test_continue_goes_on_where_it_was_started_and_starts_where_it_was_not(
    workspace: Workspace, spec: SweepSpec, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: what a job that is retried asks for."""
    ran: list[tuple[str, str, int]] = []

    def run(spec: SweepSpec, _: Space, found: Room, *rest: Any, again: bool = False) -> Any:
        ran.append(("run", found.folder.name, spec.concurrency))

    def load(*_: Any) -> Any:
        ran.append(("new", "", 0))
        raise UserError("as far as this test goes")

    monkeypatch.setattr(launch, "_run", run)
    monkeypatch.setattr(launch.Source, "load", load)
    quiet = Console(quiet=True)
    with pytest.raises(UserError, match="as far as this test goes"):
        launch.tune("rte", name="s", continue_=True, console=quiet)
    room(workspace, "s").write(spec, space)
    launch.tune("rte", name="s", continue_=True, console=quiet, concurrency=7)
    launch.tune("rte", name="s", resume=True, console=quiet)
    assert ran == [("new", "", 0), ("run", "s", 7), ("run", "s", 2)]


def test_continue_and_resume_in_words() -> None:
    with pytest.raises(UserError, match="resume and continue: one of them"):
        launch.tune("rte", name="s", resume=True, continue_=True)
    with pytest.raises(UserError, match="continue: say which sweep by --name"):
        launch.tune("rte", continue_=True)
    with pytest.raises(UserError) as refused:
        launch.tune("rte", continue_=True, workers_per_trial=0)
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(("asked", "reopens"), [
    ({"resume": True}, False),
    ({"resume": True, "time_budget": 60.0}, True),
    ({"resume": True, "how": How(extend=2)}, True),
    ({"continue_": True, "time_budget": 60.0}, False),
])  # fmt: skip
def test_what_opens_a_closed_search_again(
    workspace: Workspace, spec: SweepSpec, space: Space, monkeypatch: pytest.MonkeyPatch, asked: Any, reopens: bool
) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(launch, "_run", lambda *given, again: ran.append(given[-1]))
    room(workspace, "s").write(spec, space)
    launch.tune("rte", name="s", console=Console(quiet=True), **asked)
    assert ran == [reopens]


def test_a_resume_refuses_a_time_that_is_none() -> None:
    with pytest.raises(UserError, match="time-budget nan: more than 0 seconds"):
        launch.tune("rte", name="s", resume=True, time_budget=float("nan"))
