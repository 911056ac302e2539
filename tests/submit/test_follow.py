"""Following, sending and fetching against a cluster that is made up: connections break wherever it hurts."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.outputs import OutputFolder
from raykd.submit import cluster as cluster_file
from raykd.submit import fetch as fetch_file
from raykd.submit import run
from raykd.submit.cluster import Cluster, JobInfo, Unreachable, connect, within
from raykd.submit.fetch import fetch_champion
from raykd.submit.follow import follow
from raykd.submit.jobs import TRIES, Job, send
from tests.submit.head import free_ports

LOG = "".join(f"line {n} \u2713\n" for n in range(200))


class Flaky:
    """A cluster whose connections break after random numbers of letters; the job ends once `ends` were made."""

    def __init__(self, seed: int, ends: int = 8, away: int = 0, status: str = "SUCCEEDED") -> None:
        self.random, self.left, self.away, self.status = random.Random(seed), ends, away, status
        self.hang = False

    async def tail(self, job: str) -> AsyncIterator[str]:
        at, end = 0, len(LOG) if self.left == 0 else self.random.randrange(len(LOG))
        while at < end:
            step = self.random.randrange(1, 400)
            yield LOG[at : min(at + step, end)]
            at += step
        if self.hang:
            await asyncio.sleep(60)
        if self.random.random() < 0.5:
            raise ConnectionResetError

    def info(self, job: str) -> JobInfo | None:
        if self.away:
            self.away -= 1
            raise Unreachable("away")
        self.left -= 1
        return JobInfo(self.status if self.left <= 0 else "RUNNING", "", "", {})

    def log(self, job: str) -> str:
        return LOG


@pytest.mark.parametrize("seed", range(30))
def test_no_line_twice_and_none_lost(seed: int) -> None:
    written: list[str] = []
    info = follow(Flaky(seed, away=seed % 4), "a", written.append, lambda text: None, sleep=lambda seconds: None)
    assert "".join(written) == LOG
    assert info is not None
    assert info.status == "SUCCEEDED"


def test_a_dead_connection_is_left_for_a_new_one() -> None:
    written: list[str] = []
    flaky = Flaky(1, ends=3)
    flaky.hang = True
    start = time.monotonic()
    follow(flaky, "a", written.append, lambda text: None, silence=0.1, sleep=lambda seconds: None)
    assert time.monotonic() - start < 5
    assert "".join(written) == LOG


def test_an_outage_is_told_once_and_waited_out_with_growing_pauses() -> None:
    notes: list[str] = []
    pauses: list[float] = []
    follow(Flaky(2, ends=2, away=9), "a", lambda text: None, notes.append, sleep=pauses.append)
    assert len(notes) == 2
    assert "answers again" in notes[1]
    assert pauses[:6] == [1, 1, 1, 2, 4, 8]
    assert max(pauses) <= 30


def test_a_job_that_is_not_known() -> None:
    class Empty(Flaky):
        def info(self, job: str) -> JobInfo | None:
            return None

    assert follow(Empty(1), "a", lambda text: None, lambda text: None) is None


class Board:
    """Jobs of a cluster in a dictionary; answers to `lost` calls get lost after they took effect."""

    def __init__(self, lost: int = 0) -> None:
        self.jobs: dict[str, JobInfo] = {}
        self.lost, self.sent = lost, 0

    def info(self, job: str) -> JobInfo | None:
        return self.jobs.get(job)

    def send(self, job: str, entrypoint: str, environment: dict[str, Any], metadata: dict[str, str]) -> None:
        if job in self.jobs:
            raise FileExistsError
        self.jobs[job] = JobInfo("RUNNING", "", entrypoint, metadata)
        self.sent += 1
        if self.lost:
            self.lost -= 1
            raise Unreachable("lost")

    def end(self, job: str, status: str) -> None:
        old = self.jobs[job]
        self.jobs[job] = JobInfo(status, "", old.entrypoint, old.metadata)


def _send(board: Any, job: Job) -> tuple[str, bool]:
    return send(board, job, lambda text: None, lambda seconds: None)


def test_a_lost_answer_starts_nothing_twice() -> None:
    board = Board(lost=1)
    assert _send(board, Job("a", "raykd x")) == ("a", True)
    assert board.sent == 1
    assert _send(board, Job("a", "raykd x")) == ("a", False)
    assert board.sent == 1


def test_an_ended_job_is_gone_on_with_under_a_new_id() -> None:
    board = Board()
    names = []
    for status in ("FAILED", "STOPPED", "SUCCEEDED"):
        names.append(_send(board, Job("a", "raykd x"))[0])
        board.end(names[-1], status)
    assert names == ["a", "a-2", "a-3"]
    assert _send(board, Job("a-2", "raykd y")) == ("a-2-2", True)  # a sweep that is really called so


def test_another_line_under_the_same_name() -> None:
    board = Board()
    _send(board, Job("a", "raykd x"))
    with pytest.raises(UserError, match="another line"):
        _send(board, Job("a", "raykd y"))


def test_a_cluster_that_stays_away() -> None:
    class Away(Board):
        def info(self, job: str) -> JobInfo | None:
            self.sent += 1
            raise Unreachable("away")

    away = Away()
    with pytest.raises(UserError, match="starts nothing twice"):
        _send(away, Job("a", "raykd x"))
    assert away.sent == TRIES


def test_calls_have_a_limit() -> None:
    with pytest.raises(TimeoutError):
        within(0.05, time.sleep, 1)
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: 1 / 0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Request failed with status code 503: no.", Unreachable),
        ("Request failed with status code 400: Traceback\n  x\nValueError: bad.", UserError),
    ],
)
def test_what_a_cluster_answers(text: str, kind: type[Exception]) -> None:
    class Client:
        def get_job_info(self, job: str) -> None:
            raise RuntimeError(text)

    with pytest.raises(kind):
        Cluster("http://h", Client()).info("a")


@pytest.mark.parametrize("address", ["auto", "ray://h:10001", "ftp://h"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UserError, match="dashboard"):
        connect(address)


def test_nobody_there() -> None:
    with pytest.raises(UserError, match="no Ray dashboard answers"):
        connect(f"127.0.0.1:{free_ports(1)[0]}")


def test_somebody_there_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(cluster_file, "PATIENCE", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(UserError, match="no Ray dashboard answers"):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 5


def test_no_job_client(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(UserError, match=r"raykd\[cluster\]"):
        connect("http://127.0.0.1:1")


def test_fetch_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    for path in (tmp_path / "full" / "thesis.txt", tmp_path / "file"):
        path.write_text("years")
    for name in ("new", "empty"):
        assert run.check_target(tmp_path / name, {}) == OutputFolder(tmp_path / name)
    for taken, said in (("full", "fetch .* holds 'thesis.txt'"), ("file", "is a file"), ("home", "raykd's own folder")):
        with pytest.raises(UserError, match=said):
            run.check_target(tmp_path / taken, {})
    with pytest.raises(UserError, match="is the input 1"):
        run.check_target(tmp_path / "empty", {"input 1": tmp_path / "empty"})


def test_fetch_from_a_folder(tmp_path: Path) -> None:
    champion = tmp_path / "home" / "sweeps" / "a" / "champion"
    champion.mkdir(parents=True)
    (champion / "raykd.json").write_text("{}")
    out = OutputFolder(tmp_path / "out")
    assert fetch_champion(out, sweep="a", home=str(tmp_path / "home"), tracking_uri="") == tmp_path / "out"
    assert (tmp_path / "out" / "raykd.json").read_text() == "{}"
    later = champion.with_name("champion-2")  # somebody had put a file beside the first
    later.mkdir()
    (later / "raykd.json").write_text("[]")
    os.utime(champion / "raykd.json", (0, 0))
    # Meanwhile somebody has put a file in the folder that was empty as the job was sent.
    path = fetch_champion(out, sweep="a", home=str(tmp_path / "home"), tracking_uri="")
    assert path == tmp_path / "out-2"
    assert (path / "raykd.json").read_text() == "[]"
    assert (tmp_path / "out" / "raykd.json").read_text() == "{}"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "out", "out-2"]


def test_fetch_from_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def fetch(url: str, folder: Path) -> None:
        urls.append(url)
        folder.mkdir()

    monkeypatch.setattr(fetch_file.storage, "exists", lambda url: True)
    monkeypatch.setattr(fetch_file.storage, "fetch", fetch)
    assert fetch_champion(OutputFolder(tmp_path / "out"), sweep="a", home="s3://b/p", tracking_uri="").is_dir()
    assert urls == ["s3://b/p/sweeps/a/champion"]


def test_what_cannot_be_fetched_says_where_it_lies(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="/far/sweeps/a/champion"):
        fetch_champion(OutputFolder(tmp_path / "out"), sweep="a", home="/far", tracking_uri="sqlite:///x")


def test_left_by_an_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "follow", interrupted)
    assert run.go_on(Cluster("http://h:1", None), "job-1", OutputFolder(Path("out"))) == 130
    told = capsys.readouterr().out
    assert "raykd submit --address http://h:1 --follow job-1 --fetch out" in told
    assert "raykd submit --address http://h:1 --stop job-1" in told


@pytest.mark.parametrize(("status", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("STOPPED", 130)])
def test_exit_codes(status: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "follow", lambda *arguments: JobInfo(status, "", "", {}))
    assert run.go_on(Cluster("http://h:1", None), "a", None) == code
