"""S15: one driver a sweep, on one machine and across machines; a dead one does not hold it for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raykd import storage
from raykd.errors import UserError
from raykd.search import holder
from raykd.search.journal import Journal

HOLD = """
import sys, time
from pathlib import Path
from raykd.search.holder import held
with held("s", Path(sys.argv[1]), sys.argv[2], print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats of a tenth of a second."""
    monkeypatch.setattr(holder, "BEAT_S", 0.1)
    monkeypatch.setattr(holder, "WATCH_S", 0.8)
    monkeypatch.setattr(holder, "SETTLE_S", 0.4)


class Machine:
    """A machine with a folder of its own, which sees what all see at `place`."""

    def __init__(self, name: str, root: Path, place: str) -> None:
        self.name, self.place = name, place
        self.folder = root / name
        self.folder.mkdir()
        self.said: list[str] = []

    def hold(self) -> Any:
        return holder.held("s", self.folder, self.place, self.said.append)


@pytest.fixture(params=["path", "url"])
def machines(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """Two machines, each known by the thread that acts for it."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(holder.socket, "gethostname", lambda: threading.current_thread().name.split(":")[0])
    where = str(place) if request.param == "path" else place.as_uri()
    return [Machine(name, tmp_path, where) for name in ("one", "other")]


@contextmanager
def on(machine: Machine) -> Iterator[None]:
    """What the block does, this machine does, and the thread that beats for it as well."""
    before = threading.current_thread().name
    threading.current_thread().name = machine.name
    try:
        yield
    finally:
        threading.current_thread().name = before


@pytest.fixture
def named_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is of the machine that started it."""
    known = threading.Thread.__init__

    def init(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        kwargs["name"] = f"{threading.current_thread().name.split(':')[0]}:{kwargs.get('name')}"
        known(self, *args, **kwargs)

    monkeypatch.setattr(threading.Thread, "__init__", init)


@contextmanager
def holding(folder: Path, place: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_on_this_machine_is_told_who_holds_it(tmp_path: Path) -> None:
    with holding(tmp_path, str(tmp_path)) as process:
        with (
            pytest.raises(UserError, match=rf"'s' is being run by another process \(process {process.pid} on \S+\)"),
            holder.held("s", tmp_path, str(tmp_path), print),
        ):
            pytest.fail("it was held twice")
        process.kill()  # -9: nothing is tidied up
        process.wait()
        assert (tmp_path / "holder.json").is_file()
        began = time.monotonic()
        with holder.held("s", tmp_path, str(tmp_path), lambda line: pytest.fail(line)):
            assert json.loads((tmp_path / "holder.json").read_text())["process"] == os.getpid()
        assert time.monotonic() - began < 0.8  # of this machine and not locked: dead, no need to watch
        assert not (tmp_path / "holder.json").exists()


def test_it_is_given_back_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with holder.held("s", tmp_path, str(tmp_path), print):
            raise RuntimeError("x")

    with pytest.raises(RuntimeError, match="x"):
        fail()
    with holder.held("s", tmp_path, str(tmp_path), print):
        pass


@pytest.mark.usefixtures("named_beats")
def test_a_living_holder_on_another_machine(machines: list[Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = machines
    wrote: list[str] = []
    known = holder._write

    def write(*about: Any) -> None:
        wrote.append(holder.socket.gethostname())
        known(*about)

    monkeypatch.setattr(holder, "_write", write)
    with on(one), one.hold(), on(other):
        with pytest.raises(UserError, match=rf"process {os.getpid()} on one\)"), other.hold():
            pytest.fail("it was held twice")
        assert "last run by process" in other.said[0]
        assert set(wrote) == {"one"}  # the refused one has left the holder's name alone
    with on(other), other.hold():
        assert len(other.said) == 1  # nobody to watch


@pytest.mark.usefixtures("named_beats")
def test_two_caches_of_one_machine_are_two_machines(machines: list[Machine], tmp_path: Path) -> None:
    one, elsewhere = machines[0], tmp_path / "elsewhere"
    elsewhere.mkdir()
    beside = Machine("one", elsewhere, one.place)
    with on(one), one.hold(), pytest.raises(UserError, match=rf"process {os.getpid()} on one\)"), beside.hold():
        pytest.fail("it was held twice")
    assert "watching" in beside.said[0]


@pytest.mark.usefixtures("named_beats")
def test_a_dead_holder_on_another_machine_is_taken_over(machines: list[Machine]) -> None:
    one, other = machines
    where = storage.join(one.place, holder.HOLDER)
    storage.write_text(where, json.dumps({"host": "one", "process": 7, "own": "x", "beats": 12}))
    began = time.monotonic()
    with on(other), other.hold():
        assert time.monotonic() - began >= 0.8
        assert json.loads(storage.read_text(where))["host"] == "other"
    assert "process 7 on one" in other.said[0]


@pytest.mark.usefixtures("named_beats")
def test_of_two_at_once_exactly_one_wins(machines: list[Machine]) -> None:
    where = storage.join(machines[0].place, holder.HOLDER)
    storage.write_text(where, json.dumps({"host": "dead", "process": 7, "own": "x", "beats": 12}))
    won: list[str] = []
    refused: list[str] = []
    met = threading.Barrier(2)

    def act(machine: Machine) -> None:
        met.wait()
        try:
            with machine.hold():
                won.append(machine.name)
                time.sleep(1.0)
        except UserError as error:
            refused.append(str(error))

    threads = []
    for machine in machines:
        with on(machine):
            threads.append(threading.Thread(target=act, args=(machine,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(refused) == 1
    assert f"on {won[0]})" in refused[0]


def test_a_place_that_is_away_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = storage.write_text
    away = threading.Event()
    beats: list[int] = []

    def write(url: str, text: str) -> None:
        if away.is_set():
            raise OSError("away")
        beats.append(json.loads(text)["beats"])
        known(url, text)

    monkeypatch.setattr(storage, "write_text", write)
    with holder.held("s", tmp_path, str(tmp_path), print):
        away.set()
        time.sleep(0.35)
        before = list(beats)
        away.clear()
        end = time.monotonic() + 10
        while beats == before:
            assert time.monotonic() < end, "it never beat again"
            time.sleep(0.02)
        monkeypatch.setattr(storage, "remove", lambda url: (_ for _ in ()).throw(OSError("away")))
    assert (tmp_path / "holder.json").exists()
    with holder.held("s", tmp_path, str(tmp_path), print):  # what was left behind keeps nobody out
        pass


@pytest.mark.parametrize("text", ['{"host": "one", "proc', "", "null", "[1]"])
def test_a_file_cut_short_by_a_crash_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "holder.json").write_text(text)
    with holder.held("s", tmp_path, str(tmp_path), print):
        assert json.loads((tmp_path / "holder.json").read_text())["process"] == os.getpid()


def test_one_that_was_taken_over_notices_and_may_write_no_more(tmp_path: Path) -> None:
    """A place that was away for so long that another took this driver for dead."""
    with holder.held("s", tmp_path, str(tmp_path), print) as taken:
        journal = Journal(tmp_path, ours=lambda: not taken.is_set())
        journal.append({"event": "start"})
        storage.write_text(str(tmp_path / holder.HOLDER), json.dumps({"own": "another", "host": "other", "process": 1}))
        assert taken.wait(10)
        with pytest.raises(UserError, match="taken over"):
            journal.append({"event": "start"})
    assert json.loads((tmp_path / holder.HOLDER).read_text())["own"] == "another"
