"""The store of a sweep, built by Ray workers: once, whole, and of this teacher and these rows (S19, S20)."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from raykd import storage
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import live_teacher
from raykd.methods.seen import LOGITS, Need
from raykd.report.story import Stored
from raykd.search import gather as gathering
from raykd.search.gather import gather
from raykd.search.join import session
from raykd.search.ray_tune import worker_environment
from raykd.search.room import room
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.search.stored import noted
from raykd.workspace import Workspace, here
from tests.train.conftest import classes
from tests.train.setting import TRAINING, Setting, save_teacher

__all__ = ["classes"]

pytestmark = pytest.mark.slow

METHODS = Dimension("method", "choice", ("kd", "ckd"))
SPACE = Space("two", "for tests", "none", (METHODS, Dimension("delta", "choice", (2, 5), {"method": ("ckd",)})))
BUDGET = 10**9


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with session(None, worker_environment(1), cpus=2):
        yield


@dataclass
class Asked:
    """One sweep's wish, and what it was told."""

    setting: Setting
    workspace: Workspace
    said: io.StringIO

    def gather(self, *, budget: int = BUDGET, **changed: Any) -> tuple[str, ...]:
        self.said = io.StringIO()
        console = Console(file=self.said, width=200)
        return gather(spec_of(self.setting, **changed), SPACE, self.workspace, budget, console).knowledge

    def known(self, places: tuple[str, ...]) -> Knowledge:
        return Knowledge([storage.at_hand(place) for place in places], self.setting.split("train"))


def spec_of(setting: Setting, **changed: Any) -> SweepSpec:
    folder = setting.folder
    fixed: dict[str, Any] = {
        "name": "s", "task": setting.task, "source": "toy", "fingerprint": "0", "train": str(folder / "train"),
        "dev": {"dev": str(folder / "dev")}, "teacher": str(folder / "teacher"), "teacher_name": "t",
        "teacher_score": 0.9, "teacher_parameters": 2, "student": "cut:2", "origin": str(folder / "teacher"),
        "student_parameters": 1, "space": "two", "method": None, "trials": 2, "training": TRAINING, "concurrency": 2,
        "tracking_uri": "sqlite:///none.db",
    }  # fmt: skip
    return SweepSpec(**{**fixed, **changed})


@pytest.fixture(autouse=True)
def by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the teacher is."""
    monkeypatch.setattr(gathering, "SMALL_FLOPS", 0.0)


@pytest.fixture(params=["folder", "url"])
def asked(request: pytest.FixtureRequest, classes: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    monkeypatch.setenv("RAYKD_HOME", str(home) if request.param == "folder" else home.as_uri())
    return Asked(classes, here(), io.StringIO())


def shards(places: tuple[str, ...]) -> dict[str, float]:
    """When each was written."""
    folders = [Path(place.removeprefix("file://")) for place in places]
    return {str(file): file.stat().st_mtime for folder in folders for file in sorted(folder.glob("shard-*"))}


def test_stored_once_and_found_again(cluster: None, asked: Asked) -> None:
    places = asked.gather()
    assert "stored in" in asked.said.getvalue()
    before = shards(places)
    assert before
    known = asked.known(places)
    assert known.damaged == []
    batch = asked.setting.split("train").batch([0, 95, 40, 17])
    needs = {LOGITS, Need("word_distances", 2, reach=10), Need("word_distances", 0, reach=4)}
    needs.add(Need("layer_distances", layers=(0, 2, 4)))
    live = live_teacher(asked.setting.teacher()).live(batch, needs).answers
    for need, answer in known.answer(batch, needs).answers.items():
        torch.testing.assert_close(answer, live[need], rtol=2e-3, atol=1e-4, msg=str(need))
    rows = len(asked.setting.split("train"))
    took = noted(room(asked.workspace, "s"))
    assert took is not None
    assert (took.rows, took.asked, took.live) == (rows, rows, False)
    assert 0 < rows * (took.pace or 0) <= took.seconds
    assert asked.gather() == places
    assert "stored in" not in asked.said.getvalue()
    assert shards(places) == before
    assert noted(room(asked.workspace, "s")) == took
    assert asked.gather(name="other") == places
    assert noted(room(asked.workspace, "other")) == Stored(rows, 0, 0.0, took.pace)


def test_a_small_teacher_is_asked_by_the_driver_itself(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "SMALL_FLOPS", 1e12)
    monkeypatch.setattr(gathering, "_on_all_nodes", lambda *_: pytest.fail("workers were asked"))
    places = asked.gather()
    assert asked.known(places).damaged == []


def test_another_teacher_and_other_rows_are_other_knowledge(cluster: None, asked: Asked, tmp_path: Path) -> None:
    """S19: what was stored for one is never served for another."""
    places = set(asked.gather())
    changed = Setting(tmp_path / "changed", asked.setting.task)
    model = asked.setting.teacher()
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3
    save_teacher(changed, model)
    other_teacher = set(asked.gather(teacher=str(changed.folder / "teacher")))
    other_rows = set(asked.gather(train=str(asked.setting.folder / "dev")))
    assert len(places) == len(other_teacher) == len(other_rows)
    assert not places & other_teacher
    assert not places & other_rows


@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_a_damaged_shard_is_built_again(cluster: None, classes: Setting, tmp_path: Path, damage: str) -> None:
    """S20: the others stay as they are."""
    asked = Asked(classes, Workspace(tmp_path), io.StringIO())
    places = asked.gather()
    before = shards(places)
    file = Path(sorted(before)[3])
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 4
        file.write_bytes(content)
    elif damage == "short":
        file.write_bytes(content[:-10])
    else:
        file.unlink()
    time.sleep(0.01)
    assert asked.gather() == places
    assert ("built again" in asked.said.getvalue()) == (damage != "gone")
    after = shards(places)
    assert [name for name in after if after[name] != before[name]] == [str(file)]
    known = asked.known(places)
    assert known.damaged == []
    assert all(part.verify() == [] for part in known._parts.values())


def test_two_at_once_build_it_once(cluster: None, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """S20: the other one waits, and takes what is there then."""
    monkeypatch.setattr(gathering, "WAIT_S", 0.2)
    others = [Asked(asked.setting, asked.workspace, io.StringIO()) for _ in range(2)]
    found: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.gather())) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == 2
    assert found[0] == found[1]
    said = [one.said.getvalue() for one in others]
    assert sorted("stored in" in text for text in said) == [False, True]
    assert sum("another sweep is building it" in text for text in said) == 1


def test_what_does_not_fit_is_asked_live(cluster: None, asked: Asked) -> None:
    assert asked.gather(budget=0) == ()
    assert asked.said.getvalue().count("beyond the budget") == 3
    places = asked.gather(budget=2000)
    assert [Path(place).name.partition("-")[0] for place in places] == ["logits"]


def test_a_full_disk_ends_nothing(
    cluster: None, classes: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(classes, Workspace(tmp_path), io.StringIO())

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gathering.Library, "part", full)
    assert asked.gather() == ()
    assert "could not be stored" in asked.said.getvalue()


BUILD = """
import sys, time
from pathlib import Path
from rich.console import Console
from raykd.search import gather as gathering
from raykd.search.fill_task import fill_shard
from raykd.search.join import session
from raykd.search.ray_tune import worker_environment
from raykd.workspace import Workspace
from tests.sweep.test_gather import BUDGET, SPACE, spec_of
from tests.train.setting import Setting
from raykd.train.config import TaskSpec

def slow(job, shard):
    time.sleep(0.5)
    return fill_shard(job, shard)

gathering.fill_shard = slow
gathering.SMALL_FLOPS = 0.0
setting = Setting(Path(sys.argv[1]), TaskSpec.model_validate_json(sys.argv[2]))
with session(None, worker_environment(1), cpus=1):
    gathering.gather(spec_of(setting), SPACE, Workspace(Path(sys.argv[3])), BUDGET, Console())
"""


@pytest.mark.long
def test_a_builder_killed_in_the_middle_is_gone_on_with(cluster: None, classes: Setting, tmp_path: Path) -> None:
    """SIGKILL of the process that builds: what it has finished stays, and nobody waits for it."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(classes.folder), classes.task.model_dump_json(), str(tmp_path)],
        start_new_session=True,
    )
    knowledge = tmp_path / "knowledge"
    end = time.monotonic() + 120
    try:
        while sum(len(list(part.glob("shard-*"))) for part in knowledge.glob("[!t]*")) < 6:  # not those being made
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(1.0)  # its workers follow it
    before = shards(tuple(map(str, knowledge.iterdir())))
    asked = Asked(classes, Workspace(tmp_path), io.StringIO())
    places = asked.gather()
    after = shards(places)
    assert before.items() <= after.items()
    assert len(before) < len(after)
    assert asked.known(places).damaged == []
