"""What waits for the journal to be safe in an object store."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from raykd import storage
from raykd.search.afterwards import After, Upload, journal_in
from raykd.search.journal import Journal
from raykd.search.room import Room


def test_nobody_hears_of_what_the_store_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = (tmp_path / "store").as_uri()
    room = Room(tmp_path / "here", place, tmp_path / "artifacts")
    heard: list[tuple[str, list[str]]] = []
    away = threading.Event()
    away.set()
    known = storage.Mirror.push

    def push(self: storage.Mirror) -> None:
        if away.is_set():
            raise OSError("away")
        known(self)

    monkeypatch.setattr(storage.Mirror, "push", push)

    class Elsewhere:
        def touch(self, label: str) -> None:
            there = [file.read_text() for file in (tmp_path / "store" / "journal").glob("*.jsonl")]
            heard.append((label, there))

    with journal_in(room, lambda line: None, lambda: True) as (journal, safe):
        journal.append({"event": "start", "trial": "t0000"})
        After(safe, Elsewhere()).touch("t0000")
        assert not safe.wait(0.2)
        assert heard == []
        away.clear()
        assert safe.wait(30)
        assert [label for label, _ in heard] == ["t0000"]
        assert ['"trial": "t0000"' in text for text in heard[0][1]] == [True]
    assert isinstance(safe, Upload)


def test_a_folder_is_safe_at_once(tmp_path: Path) -> None:
    heard = []
    with journal_in(Room(tmp_path, str(tmp_path), tmp_path), print, lambda: True) as (journal, safe):
        assert isinstance(journal, Journal)
        safe.after(lambda: heard.append(1))
    assert heard == [1]
