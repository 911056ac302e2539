"""What happened in a sweep, line by line: the one thing on disk that a sweep cannot do without.

Only the driver writes it, before it acts on what it wrote, so a driver that dies at any moment has lost nothing that
anyone was told. Everything else (the study in Optuna's database, the runs in MLflow) is made from it and can be made
again. Each process appends to files of its own, so what a crash cut short is never written to again.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykd.errors import UserError

log = logging.getLogger(__name__)

FOLDER = "journal"
SEGMENT_BYTES = 1_000_000  # then a new file: an object store takes a file only whole
PATIENCE_S = 600.0  # a full disk is waited for as long as this
CHECKSUM = b', "crc32": '  # the last key of a line: of the line as it is without it


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: the number of its file, and its first byte there."""

    segment: int
    offset: int


class Journal:
    """The journal of the sweep in `folder`. full: told once when the disk is full, before waiting for room; ours:
    whether this process still is the one that may write.
    """

    def __init__(
        self, folder: Path, full: Callable[[str], object] = log.warning, ours: Callable[[], bool] = lambda: True
    ) -> None:
        self._ours = ours
        self.folder = folder / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self._full = full
        self._segment = max((int(file.stem) for file in self.folder.glob("*.jsonl")), default=0) + 1
        self._size = 0

    def append(self, event: dict[str, Any]) -> Place:
        """Write `event` and wait until it is on the disk. Raises OSError if the disk stays full, UserError if another
        process has taken the sweep over."""
        if not self._ours():
            raise UserError(
                f"another process has taken over the sweep of {self.folder}: this one ends, it goes on there"
            )
        line = _sealed(json.dumps(event).encode())
        if self._size and self._size + len(line) > SEGMENT_BYTES:
            self._segment, self._size = self._segment + 1, 0
        place = Place(self._segment, self._size)
        self._write(line)
        self._size += len(line)
        return place

    def _write(self, line: bytes) -> None:
        """All of `line` or nothing: what a full disk took of it is cut off again before the next attempt."""
        end = time.monotonic() + PATIENCE_S
        told = False
        while True:
            try:
                with self._file(self._segment).open("ab", buffering=0) as file:
                    try:
                        if file.write(line) < len(line):
                            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                        os.fsync(file.fileno())
                        return
                    except OSError:
                        file.truncate(self._size)
                        raise
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() > end:
                    raise
            if not told:
                told = True
                self._full(f"no space left for {self.folder}: waiting {PATIENCE_S / 60:g} minutes for some")
            time.sleep(0.5)

    def read(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Every event in order. A line that a crash cut short, or that is damaged, is left out and named."""
        for file in sorted(self.folder.glob("*.jsonl"), key=lambda file: int(file.stem)):
            offset = 0
            for number, line in enumerate(io.BytesIO(file.read_bytes()), start=1):
                event = _opened(line)
                if event is not None:
                    yield Place(int(file.stem), offset), event
                else:
                    log.warning("%s, line %d is damaged and left out: %.60r", file, number, line)
                offset += len(line)

    def at(self, place: Place) -> dict[str, Any]:
        """The event at `place`: what a mirror needs once is kept on the disk, not in memory. ValueError if damaged."""
        with self._file(place.segment).open("rb") as file:
            file.seek(place.offset)
            event = _opened(file.readline())
        if event is None:
            raise ValueError(f"{file.name} is damaged at byte {place.offset}")
        return event

    def _file(self, segment: int) -> Path:
        return self.folder / f"{segment:06d}.jsonl"


def _sealed(body: bytes) -> bytes:
    return b"%s%s%d}\n" % (body[:-1], CHECKSUM, zlib.crc32(body))


def _opened(line: bytes) -> dict[str, Any] | None:
    """The event of a whole line; None where a byte is missing or another than was written."""
    start, _, rest = line.rpartition(CHECKSUM)
    body = start + b"}"
    return dict(json.loads(body)) if rest == b"%d}\n" % zlib.crc32(body) else None
