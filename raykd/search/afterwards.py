"""What a driver may do only once the journal is safe: tell others of a change, remove what a trial left.

Where the sweep lives in an object store the journal is written here first, and sent there some time soon. This machine
may be lost before that, with its disk: whoever goes on elsewhere knows no more than the store's copy. So what the study
and MLflow hold, and what was removed, must be in that copy already.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from raykd import storage
from raykd.search.conductor import Mirror
from raykd.search.journal import FOLDER, Journal
from raykd.search.room import Room
from raykd.tracking.reconcile import Reconciler

PATIENCE_S = 900.0  # at its end a sweep waits as long as this for servers that are away

Act = Callable[[], object]
Say = Callable[[str], object]


class Safe(Protocol):
    """Knows when what is in the journal is safe."""

    def after(self, act: Act) -> None:
        """Call `act` when all that the journal holds now is safe. Returns at once."""

    def wait(self, timeout: float) -> bool:
        """Until every `act` has been called; False if that took longer than `timeout` seconds."""


class AtOnce:
    """The journal's place is its folder, where each line is on the disk before anyone acts on it."""

    def after(self, act: Act) -> None:
        act()

    def wait(self, timeout: float) -> bool:
        return True


class Upload:
    """Keeps the store's `copy` of the journal."""

    def __init__(self, copy: storage.Mirror, say: Say) -> None:
        self._copy = copy
        self._acts: list[Act] = []
        self._lock = threading.Lock()
        self._reconciler = Reconciler("the object store", self._send, say)
        self.wait, self.close = self._reconciler.wait, self._reconciler.close

    def after(self, act: Act) -> None:
        with self._lock:
            self._acts.append(act)
        self._reconciler.touch(FOLDER)

    def _send(self, _: str) -> None:
        with self._lock:
            count = len(self._acts)  # what is asked for from here on may not be in what is sent
        self._copy.push()
        with self._lock:
            ready, self._acts = self._acts[:count], self._acts[count:]
        for act in ready:
            act()


@dataclass(frozen=True)
class After:
    """`mirror`, told of a change once that is safe."""

    safe: Safe
    mirror: Mirror

    def touch(self, label: str) -> None:
        """Some time soon."""
        self.safe.after(partial(self.mirror.touch, label))


@contextlib.contextmanager
def journal_in(room: Room, say: Say, ours: Callable[[], bool]) -> Iterator[tuple[Journal, Safe]]:
    """The journal of the sweep in `room`, brought up to date, and who knows when it is safe."""
    if not room.remote:
        yield Journal(room.folder, say, ours), AtOnce()
        return
    copy = storage.Mirror(room.folder / FOLDER, storage.join(room.place, FOLDER))
    _catch_up(copy)
    journal = Journal(room.folder, say, ours)
    upload = Upload(copy, say)
    try:
        yield journal, upload
    finally:
        upload.after(lambda: None)
        if upload.close(PATIENCE_S):
            say(f"warning: the end of the journal is in {journal.folder} alone, not in {room.place}")


def _catch_up(copy: storage.Mirror) -> None:
    """Bring the journal here up to the object store's. What this machine wrote while the store was away stays, unless
    the sweep has gone on elsewhere since."""
    if not storage.exists(copy.url):
        return
    with tempfile.TemporaryDirectory() as scratch:
        there = Path(scratch) / FOLDER
        storage.fetch(copy.url, there)
        for file in there.iterdir():
            here = copy.folder / file.name
            if not here.is_file() or not here.read_bytes().startswith(file.read_bytes()):
                shutil.rmtree(copy.folder, ignore_errors=True)
                shutil.copytree(there, copy.folder)
                return
