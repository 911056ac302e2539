"""Ray's sockets have paths that the operating system takes, wherever TMPDIR points."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.search import sockets
from raykd.search.sockets import check_sockets, temporary_folder


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)


def test_nothing_to_do() -> None:
    said: list[str] = []
    check_sockets(said.append)
    with temporary_folder() as folder:
        assert folder is None
    assert said == []


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_too_long(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/" + "x" * 60)
    said: list[str] = []
    check_sockets(said.append)
    assert said == [
        f"{name}=/{'x' * 60}: too long for Ray's sockets ({sockets.LONGEST} bytes with all that Ray adds): they go to "
        "/tmp instead"
    ]
    with temporary_folder() as folder:
        assert folder is not None
        assert len(os.path.join(folder, sockets.BELOW.removeprefix("ray/"))) <= sockets.LONGEST
        above = Path(folder).parent
        assert stat.S_IMODE(above.stat().st_mode) == 0o700
    assert not above.exists()


def test_bytes_count_not_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/" + "ü" * 30)
    with temporary_folder() as folder:
        assert folder is not None
    monkeypatch.setenv("TMPDIR", "/" + "u" * 30)
    with temporary_folder() as folder:
        assert folder is None


def test_rays_own_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/" + "x" * 60)
    monkeypatch.setenv("RAY_TMPDIR", "/short")
    with temporary_folder() as folder:
        assert folder is None


def test_no_place_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/" + "x" * 60)
    monkeypatch.setattr(sockets, "SHORT", "/no/such/folder")
    with pytest.raises(UserError, match="set it to a folder of at most"):
        check_sockets(print)
