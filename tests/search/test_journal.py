"""The journal: whole lines or none, damage named and kept to the lines it touched, a full disk waited for."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykd.search import journal as module
from raykd.search.journal import Journal, Place


def events(folder: Path) -> list[dict[str, Any]]:
    return [event for _, event in Journal(folder).read()]


def some(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"event": "report", "trial": f"t{i:04d}", "text": "grün\n\r\u2028" * (i % 3)} for i in range(start, count)]


def written(folder: Path, count: int = 5) -> list[Place]:
    journal = Journal(folder)
    return [journal.append(event) for event in some(count)]


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    places = written(tmp_path)
    assert events(tmp_path) == some(5)
    assert [place for place, _ in Journal(tmp_path).read()] == places
    assert [Journal(tmp_path).at(place) for place in reversed(places)] == list(reversed(some(5)))


def test_a_number_that_is_none_and_keys_that_look_like_the_checksum(tmp_path: Path) -> None:
    odd = {"score": float("inf"), "crc32": 3, "text": ', "crc32": 5}\n'}
    Journal(tmp_path).append(odd)
    assert events(tmp_path) == [odd]


def test_a_line_that_was_cut_short_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path)
    file = tmp_path / "journal" / "000001.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert events(tmp_path) == some(4)
    assert f"{file}, line 5 is damaged and left out" in caplog.text
    again = Journal(tmp_path)
    place = again.append({"event": "more"})
    assert place == Place(2, 0)  # never behind what was cut short
    assert events(tmp_path) == [*some(4), {"event": "more"}]


def test_a_damaged_line_in_the_middle_is_named_and_costs_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = written(tmp_path)
    file = tmp_path / "journal" / "000001.jsonl"
    damaged = file.read_bytes().replace(b"t0002", b"t0009")  # JSON still, but not what was written
    file.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        found = list(Journal(tmp_path).read())
    assert [event for _, event in found] == some(2) + some(5, 3)
    assert [place for place, _ in found] == places[:2] + places[3:]
    assert "line 3 is damaged" in caplog.text
    with pytest.raises(ValueError, match=r"000001\.jsonl is damaged at byte"):
        Journal(tmp_path).at(places[2])


def test_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 200)
    journal = Journal(tmp_path)
    places = [journal.append(event) for event in some(40)]
    files = sorted((tmp_path / "journal").iterdir())
    assert len(files) > 10
    assert all(file.stat().st_size <= 200 for file in files)
    assert [(place, journal.at(place)) for place in places] == list(Journal(tmp_path).read())
    assert events(tmp_path) == some(40)


def test_more_than_a_million_files_would_stay_in_order(tmp_path: Path) -> None:
    for name, event in (("999999", 1), ("1000000", 2)):
        written = Journal(tmp_path)
        written._segment = int(name)
        written.append({"event": event})
    assert events(tmp_path) == [{"event": 1}, {"event": 2}]
    assert Journal(tmp_path).append({}) == Place(1_000_001, 0)


def test_a_line_longer_than_a_segment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 10)
    written(tmp_path, 3)
    assert events(tmp_path) == some(3)


def test_every_process_has_files_of_its_own(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.append({"n": 1})
    code = f"from pathlib import Path; from raykd.search.journal import Journal\nJournal(Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", f"{code}.append({{'n': 2}})"], check=True)
    second = Journal(tmp_path)
    assert second.append({"n": 3}) == Place(3, 0)
    assert first.append({"n": 4}).segment == 1
    assert sorted(event["n"] for event in events(tmp_path)) == [1, 2, 3, 4]


def test_it_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(module.os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    Journal(tmp_path).append({"n": 1})
    assert synced == [(tmp_path / "journal" / "000001.jsonl").stat().st_size]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_costs_no_more_than_the_lines_it_touches(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    monkeypatch.setattr(module, "SEGMENT_BYTES", 400)
    places = written(folder, 12)
    files = sorted((folder / "journal").iterdir())
    file = data.draw(st.sampled_from(files), "file")
    whole = file.read_bytes()
    where = data.draw(st.integers(0, len(whole) - 1), "where")
    cut = data.draw(st.booleans(), "cut")
    flipped = bytes([whole[where] ^ data.draw(st.integers(1, 255), "flip")])
    file.write_bytes(whole[:where] if cut else whole[:where] + flipped + whole[where + 1 :])

    def touched(place: Place) -> bool:
        if place.segment != int(file.stem):
            return False
        end = whole.index(b"\n", place.offset) + 1
        after_newline = place.offset == where + 1 and whole[where] == ord("\n")
        return end > where if cut else place.offset <= where < end or after_newline

    left = list(Journal(folder).read())
    wanted = [(place, event) for place, event in zip(places, some(12), strict=True) if not touched(place)]
    assert [pair for pair in left if not touched(pair[0])] == wanted
    assert all(event in some(12) for _, event in left)  # nothing that was never written


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    at = tmp_path / "small"
    at.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(at)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield at
    subprocess.run(["umount", str(at)], check=True)


def test_a_full_disk_is_waited_for(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S11: told once, nothing half-written, and on when there is room."""
    told: list[str] = []
    journal = Journal(small_disk, told.append)
    journal.append({"n": 0})
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        file.write(b"x" * 20_000)  # what fits of it
    numbers = list(range(1, 80))
    writer = threading.Thread(target=lambda: [journal.append({"n": n, "pad": "x" * 100}) for n in numbers])
    writer.start()
    end = time.monotonic() + 10
    while not told:
        assert time.monotonic() < end, "a full disk was not noticed"
        time.sleep(0.01)
    time.sleep(0.7)  # another attempt
    content = (small_disk / "journal" / "000001.jsonl").read_bytes()
    assert content.endswith(b"}\n")
    assert 1 < len(events(small_disk)) < 80
    ballast.unlink()
    writer.join(20)
    assert [event["n"] for event in events(small_disk)] == [0, *numbers]
    assert len(told) == 1
    assert "no space left" in told[0]


class Full:
    """A file on a disk that takes a part of what it is given, then says that it is full."""

    def __init__(self, file: Any, takes: int, error: int | None) -> None:
        self.file, self.takes, self.error = file, takes, error

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, line: bytes) -> int:
        taken = self.file.write(line[: self.takes])
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return taken

    def truncate(self, size: int) -> None:
        self.file.truncate(size)

    def fileno(self) -> int:
        return self.file.fileno()


@pytest.mark.parametrize("error", [None, errno.ENOSPC, errno.EDQUOT])
def test_patience_with_a_full_disk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None) -> None:
    told: list[str] = []
    journal = Journal(tmp_path, told.append)
    journal.append({"n": 0})
    monkeypatch.setattr(module, "PATIENCE_S", 0.6)
    naps = iter(range(100))
    monkeypatch.setattr(module.time, "sleep", lambda _: next(naps) and threading.Event().wait(0.02))
    known = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: Full(known(self, *a, **k), 7, error))
    with pytest.raises(OSError, match=r"No space left|quota") as raised:
        journal.append({"n": 1})
    assert raised.value.errno == (error or errno.ENOSPC)
    assert len(told) == 1
    monkeypatch.setattr(Path, "open", known)
    assert (tmp_path / "journal" / "000001.jsonl").read_bytes().count(b"\n") == 1
    journal.append({"n": 2})
    assert [event["n"] for event in events(tmp_path)] == [0, 2]


def test_a_new_file_that_finds_no_room_is_waited_for_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Path.open
    refusals = iter([True, True])

    def refusing(self: Path, *a: Any, **k: Any) -> Any:
        if next(refusals, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        return known(self, *a, **k)

    monkeypatch.setattr(Path, "open", refusing)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    told: list[str] = []
    Journal(tmp_path, told.append).append({"n": 1})
    assert events(tmp_path) == [{"n": 1}]
    assert len(told) == 1


def test_another_trouble_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: Full(known(self, *a, **k), 7, errno.EIO))
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("it waited"))
    with pytest.raises(OSError, match="Input/output"):
        Journal(tmp_path).append({"n": 1})
    monkeypatch.setattr(Path, "open", known)
    assert events(tmp_path) == []
