"""A node's copy of a URL: fetched once, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.storage import at_hand
from tests.storage.conftest import tree
from tests.storage.fake import Store
from tests.storage.test_places import make

CONTENT = {"config.json": b"{}", "deep/weights": b"x" * 100_000, "last": b"1"}
URL = "s3://bucket/teachers/bert"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(tmp_path: Path, seconds: float) -> subprocess.Popen[str]:
    """Another process of this node, ready to ask for `URL`, which takes it that long to fetch."""
    words = [str(tmp_path / "store"), str(tmp_path / "log"), URL, str(seconds)]
    command = [sys.executable, "-m", "tests.storage.fake", *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")


def is_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def test_a_path_is_at_hand() -> None:
    assert at_hand("models/bert") == Path("models/bert")


def test_kept(store: Store, cache: Path) -> None:
    make(store.root / "bucket/teachers/bert", CONTENT)
    copy = at_hand(URL)
    assert tree(copy) == CONTENT
    assert copy.is_relative_to(cache)
    before = len(store.log)
    assert at_hand(URL + "/") == copy
    assert len(store.log) == before
    make(store.root / "bucket/other/bert", {"x": b""})
    assert tree(at_hand("s3://bucket/other/bert")) == {"x": b""}


def test_nothing_there(store: Store, cache: Path) -> None:
    with pytest.raises(UserError, match="nothing at s3://bucket/teachers/bert"):
        at_hand(URL)
    with pytest.raises(UserError, match="did you mean"):
        at_hand("s4://bucket/x")
    make(store.root / "bucket/teachers/bert", CONTENT)  # it comes later
    assert tree(at_hand(URL)) == CONTENT


def test_eight_processes_fetch_once(store: Store, cache: Path, tmp_path: Path) -> None:
    make(store.root / "bucket/teachers/bert", CONTENT)
    processes = [ask(tmp_path, 0.5) for _ in range(8)]
    assert all(is_ready(process) for process in processes)
    for process in processes:
        go(process)
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, answers
    assert len({out for out, _ in answers}) == 1
    assert tree(Path(answers[0][0].strip())) == CONTENT
    assert len((tmp_path / "log").read_text().splitlines()) == len(CONTENT)


def test_killed_while_it_fetched(store: Store, cache: Path, tmp_path: Path) -> None:
    make(store.root / "bucket/teachers/bert", CONTENT)
    process = ask(tmp_path, 600)
    assert is_ready(process)
    go(process)
    log = tmp_path / "log"
    for _ in range(600):
        if log.exists() and any(line.endswith("last") for line in log.read_text().splitlines()):
            break
        time.sleep(0.05)
    time.sleep(0.2)  # the other files come meanwhile
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(list(cache.glob("tmp-*"))) == 1
    assert tree(at_hand(URL)) == CONTENT
    assert list(cache.glob("tmp-*")) == []


def test_the_default_cache_is_this_users(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYKD_CACHE", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make(store.root / "bucket/teachers/bert", CONTENT)
    copy = at_hand(URL)
    assert copy.parent == tmp_path / f"raykd-cache-{os.getuid()}"
    assert copy.parent.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    (tmp_path / "raykd-cache-4242").mkdir()  # somebody else was there first
    with pytest.raises(UserError, match="belongs to somebody else"):
        at_hand(URL)
