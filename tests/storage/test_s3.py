"""The same against a real S3-compatible server, found through the environment alone."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.storage import (
    Mirror,
    at_hand,
    exists,
    fetch,
    join,
    names,
    patience,
    places,
    read_text,
    remove,
    send,
    write_text,
)  # fmt: skip
from tests.services.s3 import S3
from tests.storage.conftest import tree
from tests.storage.test_places import make

CONTENT = {
    "config.json": b"{}",
    "deep/er/weights": bytes(range(256)) * 60_000,  # 15 MB: sent in parts
    "deep/empty": b"",
    "odd name#?%41+ü.txt": b"1",
    "odd#?/state.json": b"2",
}


@pytest.fixture
def home(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own for each test."""
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(patience, "_away", {})
    places._connected.cache_clear()
    return f"s3://{s3.bucket}/{tmp_path.name}"


def test_objects(home: str) -> None:
    note = join(home, "a b", "note.json")
    assert not exists(note)
    assert names(home) == []
    with pytest.raises(FileNotFoundError):
        read_text(note)
    write_text(note, "une")
    write_text(note, "zwei, grün")
    assert read_text(note) == "zwei, grün"
    assert exists(join(home, "a b"))
    assert names(home) == ["a b"]
    remove(join(home, "a b"))
    remove(join(home, "a b"))
    assert not exists(note)
    assert names(home) == []


def test_folders(home: str, tmp_path: Path) -> None:
    send(make(tmp_path / "source", CONTENT), join(home, "model"))
    fetch(join(home, "model"), tmp_path / "back")
    assert tree(tmp_path / "back") == CONTENT
    assert tree(at_hand(join(home, "model"))) == CONTENT
    with pytest.raises(UserError, match="nothing at"):
        fetch(join(home, "mode"), tmp_path / "other")


def test_mirror(home: str, tmp_path: Path) -> None:
    here, there = Mirror(make(tmp_path / "here", CONTENT), home), Mirror(tmp_path / "there", home)
    here.push()
    there.pull()
    assert tree(there.folder) == CONTENT
    for name in ("odd#?/state.json", "deep/empty"):
        (here.folder / name).unlink()
    (here.folder / "odd#?").rmdir()
    make(here.folder, {"config.json": b"[]", "new/x": b"1"})
    here.push()
    there.pull()
    assert tree(there.folder) == tree(here.folder)
    assert "odd#?" not in names(home)


def test_plain_endpoint_variable(home: str, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    write_text(join(home, "x"), "1")
    assert read_text(join(home, "x")) == "1"


def test_wrong_key(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    began = time.monotonic()
    with pytest.raises(UserError, match="access denied"):
        write_text(join(home, "x"), "1")
    assert time.monotonic() - began < 10


def test_no_such_bucket(home: str) -> None:
    with pytest.raises(UserError, match="s3://raykd-absent/x: there is no such bucket"):
        write_text("s3://raykd-absent/x", "1")


def test_away_and_back(home: str, s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mirror = Mirror(make(tmp_path / "here", CONTENT), home)
    mirror.push()
    make(tmp_path / "here", {f"new/{number}": b"x" * number for number in range(20)})
    s3.stop()
    try:
        pushing = threading.Thread(target=mirror.push)
        pushing.start()
        time.sleep(3)
        assert pushing.is_alive()
    finally:
        s3.start()
    pushing.join(60)
    assert not pushing.is_alive()
    there = Mirror(tmp_path / "there", home)
    there.pull()
    assert tree(there.folder) == tree(mirror.folder)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "is away" in said[0]
    assert "is back" in said[-1]


def test_a_server_that_never_answers(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SILENCE_S", 1)
    monkeypatch.setattr(places, "ATTEMPTS", 1)
    monkeypatch.setattr(patience, "PATIENCE_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(patience.Away, match="Timeout"):
            exists(home)
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "threading.Thread(target=read_text, args=(url,)).start()"])
def test_a_process_ends_clean(home: str, end: str) -> None:
    code = f"""
import threading
from raykd.storage import Mirror, read_text, write_text
from pathlib import Path
import tempfile
url = {join(home, "x")!r}
write_text(url, "1")
mirror = Mirror(Path(tempfile.mkdtemp()), {home!r})
mirror.pull()
{end}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
