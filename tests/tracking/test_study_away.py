"""S7, S14: a database that is damaged, locked, away or fails halfway costs the study nothing."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raykd.search.ledger import BASELINE, Ledger
from raykd.tracking.study import StudyMirror, set_aside
from tests.search.conftest import report, started
from tests.tracking.mirrored import assert_like, ledger, mirrored, play, quick, space, spec

__all__ = ["ledger", "mirrored", "quick", "space", "spec"]


def lost(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_in_its_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


def overwritten(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    for page in range(4096, len(whole), 4096):
        whole[page : page + 300] = b"\xff" * 300
    file.write_bytes(bytes(whole))


def no_database(file: Path) -> None:
    file.write_bytes(b"not a database at all " * 500)


@pytest.mark.parametrize("damage", [lost, emptied, truncated, cut_in_its_header, overwritten, no_database])
def test_s7_a_damaged_database_is_set_aside_and_made_anew(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror], damage: Callable[[Path], None]
) -> None:
    first = mirrored()
    play(ledger, first)
    assert first.close(30) == 0
    damage(tmp_path / "study.db")
    said: list[str] = []
    set_aside(tmp_path, said.append)
    aside = [file.name for file in tmp_path.glob("study.damaged-*")]
    if damage in (lost, emptied):
        assert (said, aside) == ([], [])
    else:
        assert aside == ["study.damaged-1"]
        assert "is damaged" in said[0]
        assert "made anew from the journal" in said[0]
        assert not list(tmp_path.glob("study.db*"))
    second = mirrored(said)
    for entry in ledger.entries():
        second.touch(entry.label)
    assert second.close(30) == 0
    assert_like(ledger, tmp_path)


def test_a_whole_database_is_left_alone_even_if_somebody_holds_it(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mirrored()
    play(ledger, first)
    first.close(30)
    set_aside(tmp_path, pytest.fail)
    known = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file: known(file, timeout=0.1))
    holder = known(tmp_path / "study.db")
    holder.execute("begin exclusive")
    try:
        set_aside(tmp_path, pytest.fail)
    finally:
        holder.close()
    assert (tmp_path / "study.db").is_file()


def test_s14_a_locked_database_is_waited_for(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raykd.tracking.study._engine", lambda uri: {"connect_args": {"timeout": 0.05}})
    said: list[str] = []
    mirror = mirrored(said)
    started(ledger)
    mirror.touch(BASELINE)
    assert mirror._reconciler.wait(10)
    holder = sqlite3.connect(tmp_path / "study.db")
    holder.execute("begin exclusive")
    play_rest = [started(ledger) for _ in range(4)]
    for label in play_rest:
        ledger.report(label, report(1, 0.5))
        began = time.monotonic()
        mirror.touch(label)
        assert time.monotonic() - began < 0.5  # nobody waits for it
    end = time.monotonic() + 10
    while not said:
        assert time.monotonic() < end
        time.sleep(0.01)
    holder.rollback()
    holder.close()
    assert mirror.close(30) == 0
    assert "locked" in said[0]
    assert "is back after" in said[1]
    assert len(said) == 2
    assert_like(ledger, tmp_path)


class Flaky:
    """Optuna's storage, of which any call may fail, before or after it took effect."""

    def __init__(self, storage: Any, chance: random.Random) -> None:
        self.storage, self.chance = storage, chance

    def __getattr__(self, name: str) -> Any:
        known = getattr(self.storage, name)
        writes = name.startswith(("create", "set", "get"))
        if not (callable(known) and writes):
            return known

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.chance.random() < 0.1:
                raise OSError("before")
            result = known(*args, **kwargs)
            if self.chance.random() < 0.1:
                raise OSError("after")
            return result

        return call


@pytest.mark.parametrize("seed", range(4))
def test_s14_whatever_fails_before_or_after_it_took_effect(
    tmp_path: Path, ledger: Ledger, mirrored: Callable[..., StudyMirror], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    failures: list[str] = []
    mirror = mirrored(failures)
    known = mirror._open
    monkeypatch.setattr(mirror, "_open", lambda: Flaky(known(), chance))
    play(ledger, mirror, wait=True)
    assert mirror.close(60) == 0
    assert failures
    assert_like(ledger, tmp_path)
