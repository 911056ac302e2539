"""The two scripts of the image, without an image."""

from __future__ import annotations

import runpy
import socket
import sys
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY

LEAVE = runpy.run_path(str(DEPLOY / "image" / "leave-node"), run_name="leave_node")


def process(folder: Path, number: int, command: bytes) -> None:
    (folder / str(number)).mkdir()
    (folder / str(number) / "cmdline").write_bytes(command)


@pytest.mark.parametrize(
    ("commands", "at_work"),
    [
        ([], False),
        ([b"/bin/bash\0-c\0ray start --block", b"raylet\0--x"], False),
        ([b"ray::IDLE", b"ray::IDLE_SpillWorker"], False),
        ([b"ray::IDLE", b"ray::ImplicitFunc.train()"], True),
    ],
)
def test_at_work(tmp_path: Path, commands: list[bytes], at_work: bool) -> None:
    for number, command in enumerate(commands, start=1):
        process(tmp_path, number, command)
    (tmp_path / "self").mkdir()
    assert LEAVE["at_work"](tmp_path) is at_work


def cluster(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> list[tuple[str, str, float]]:
    """Another cluster around `leave`, which answers so; returns what it is told."""
    told: list[tuple[str, str, float]] = []

    def announce(address: str, ip: str, seconds: float) -> str | None:
        told.append((address, ip, seconds))
        return answer

    monkeypatch.setitem(LEAVE["leave"].__globals__, "announce", announce)
    return told


def test_announces_then_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = cluster(monkeypatch, None)
    assert LEAVE["leave"]("head:6379", "10.0.0.7", 90, tmp_path) == "all work has left"
    assert told == [("head:6379", "10.0.0.7", 90)]


def test_waits_for_work_but_not_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster(monkeypatch, None)
    process(tmp_path, 1, b"ray::train")
    assert "still at work" in LEAVE["leave"]("head:6379", "10.0.0.7", 0.1, tmp_path)


def test_refused_goes_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster(monkeypatch, "refused: no")
    process(tmp_path, 1, b"ray::train")
    assert LEAVE["leave"]("head:6379", "10.0.0.7", 60, tmp_path) == "refused: no"


def test_trouble_keeps_no_pod(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No head, as when a whole cluster is taken away: said, and exit code 0."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(sys, "argv", ["leave-node", f"127.0.0.1:{port}", "127.0.0.1", "60"])
    LEAVE["main"]()
    assert "leave-node: ConnectionRefusedError" in capsys.readouterr().out
