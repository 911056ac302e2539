"""Where a sweep lives: names that are taken, two that start at once, a home in an object store."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from raykd import storage
from raykd.errors import UserError
from raykd.search.request import SweepRequest
from raykd.search.room import Room, claim, new_room, newest, room
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.workspace import Workspace
from tests.search.conftest import elsewhere


def test_what_one_machine_writes_another_reads(
    workspace: Workspace, tmp_path: Path, spec: SweepSpec, space: Space
) -> None:
    first = room(workspace, "s")
    assert first.remote is (workspace.url is not None)
    assert not first.started
    first.write(spec, space)
    assert first.started
    other = room(elsewhere(workspace, tmp_path), "s")
    assert other.started
    assert other.read() == (spec, space)
    with pytest.raises(UserError, match=r"no sweep in .*none: it holds no sweep\.json"):
        room(elsewhere(workspace, tmp_path), "none").read()


def test_a_sweep_without_its_specification_was_never_started(
    workspace: Workspace, spec: SweepSpec, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written last: a crash before leaves a name that can be used again."""
    found = room(workspace, "s")
    known = storage.write_text

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SweepSpec, "save", crash)
    monkeypatch.setattr(storage, "write_text", lambda url, text: crash() if url.endswith("sweep.json") else None)
    with pytest.raises(KeyboardInterrupt):
        found.write(spec, space)
    monkeypatch.undo()
    monkeypatch.setattr(storage, "write_text", known)
    assert not found.started


def test_names_that_are_taken(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    assert new_room(workspace, None, "rte-kd").folder.name == "rte-kd-1"
    room(workspace, "rte-kd-1").write(spec, space)
    room(workspace, "rte-kd-2").folder.mkdir(parents=True)
    assert new_room(workspace, None, "rte-kd").folder.name == "rte-kd-3"
    assert new_room(workspace, None, "my rows: kd").folder.name == "my-rows--kd-1"
    assert new_room(workspace, "free", "x").folder.name == "free"
    with pytest.raises(UserError, match=r"'rte-kd-1' exists already in .*--resume"):
        new_room(workspace, "rte-kd-1", "x")
    with pytest.raises(UserError, match="exists already"):
        claim(workspace, "rte-kd-1", "x", again=True)


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "/etc", "", ".hidden", "a..b", "x" * 81, "a\n", "é", "a b"])
def test_names_that_escape(workspace: Workspace, name: str) -> None:
    """S27."""
    for ask in (room, lambda w, n: new_room(w, n, "x"), lambda w, n: claim(w, n, "x", again=False)):
        with pytest.raises(UserError, match="letters, digits"):
            ask(workspace, name)
    assert not workspace.sweeps.exists()


def test_a_name_is_claimed_once(workspace: Workspace) -> None:
    assert claim(workspace, "s", "x", again=False).folder.is_dir()
    assert claim(workspace, "s", "x", again=False).folder.is_dir()  # nothing was written there yet
    (workspace.sweep("s") / "space.json").write_text("")
    with pytest.raises(UserError, match="'s' was started meanwhile"):
        claim(workspace, "s", "x", again=False)
    assert claim(workspace, "s", "x", again=True).folder == workspace.sweep("s")
    (workspace.sweep("s") / "ray").mkdir()
    for again in (True, False):
        with pytest.raises(UserError, match="holds ray, which no sweep left there"):
            claim(workspace, "s", "x", again=again)


def test_a_link_has_the_name_too(workspace: Workspace, tmp_path: Path) -> None:
    workspace.sweeps.mkdir(parents=True)
    workspace.sweep("s-1").symlink_to(tmp_path / "nowhere")
    assert claim(workspace, None, "s", again=False).folder == workspace.sweep("s-2")


def test_sixteen_that_ask_for_any_name_get_sixteen(workspace: Workspace) -> None:
    found: list[Room] = []
    met = threading.Barrier(16)

    def act() -> None:
        met.wait()
        found.append(claim(workspace, None, "s", again=False))

    threads = [threading.Thread(target=act) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.folder for one in found}) == 16


def test_the_newest_of_a_task(workspace: Workspace, spec: SweepSpec, space: Space) -> None:
    for number, (name, method) in enumerate([("a", "kd"), ("b", None), ("c", "kd")]):
        found = room(workspace, name)
        request = SweepRequest(task="rte", method=method, seed=number)
        found.write(spec.model_copy(update={"name": name, "method": method, "request": request}), space)
        os.utime(found.folder / "sweep.json", (time.time() - number,) * 2)
    if workspace.url is not None:
        with pytest.raises(UserError, match=r"say which sweep by --name \(a, b, c\)"):
            newest(workspace, SweepRequest(task="rte"))
        return
    assert newest(workspace, SweepRequest(task="rte")).folder.name == "a"
    assert newest(workspace, SweepRequest(task="rte", method="kd")).folder.name == "a"
    os.utime(workspace.sweep("c") / "sweep.json")
    assert newest(workspace, SweepRequest(task="rte", method="kd")).folder.name == "c"
    for task, method, what in (("sst2", None, "task 'sst2'"), ("rte", "ckd", "task 'rte' by method 'ckd'")):
        with pytest.raises(UserError, match=f"no sweep of {what}"):
            newest(workspace, SweepRequest(task=task, method=method))
    assert (
        newest(workspace, SweepRequest(task="rte", seed=2)).folder.name == "c"
    )  # the newest that is what is asked for
    with pytest.raises(UserError, match=r"--trials 9: .*has 20; --extend N adds N\n--seed 7: sweep 'c' has 2\nleave"):
        newest(workspace, SweepRequest(task="rte", seed=7, trials=9))
