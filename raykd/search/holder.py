"""One driver a sweep: whoever runs it says so beside it, and keeps saying so while it lives.

Where two drivers see the same lock file on one machine, that lock decides: it dies with its process. Otherwise (NFS, an
object store, two caches of one machine) there is no lock to rely on, so the holder rewrites ``holder.json`` every few
seconds, and a second driver watches it: if it changes the holder lives, if it stays as it is the holder is gone. No
clock is compared with another's.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from raykd import storage
from raykd.errors import UserError

HOLDER = "holder.json"
BEAT_S = 3.0
WATCH_S = 3.5 * BEAT_S  # a holder that has not moved for as long is gone
SETTLE_S = 1.5  # after writing one's own name: time for another to have written theirs


@contextlib.contextmanager
def held(name: str, folder: Path, place: str, say: Callable[[str], object]) -> Iterator[threading.Event]:
    """Hold the sweep `name` while the block runs. folder: of the sweep on this machine; place: where all can see it.

    Yields what is set when another process has taken the sweep over nevertheless: it believed this one dead, which can
    only be when the place was away for long. Raises UserError, naming the holder, when another process runs the sweep.
    """
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise _refused(name, _read(place)) from None
    own = uuid.uuid4().hex
    done = threading.Event()
    try:
        about = {"host": socket.gethostname(), "process": os.getpid(), "lock": _lock(folder), "own": own}
        _take(name, place, about, say)
        taken = threading.Event()
        beating = threading.Thread(target=_beat, args=(place, about, done, taken), name="raykd-holder", daemon=True)
        beating.start()
        try:
            yield taken
        finally:
            done.set()
            beating.join(30)
            with contextlib.suppress(Exception):  # a place that is away: the next driver waits a little, no more
                if not taken.is_set():
                    storage.remove(storage.join(place, HOLDER))
    finally:
        lock.release()


def _take(name: str, place: str, about: dict[str, object], say: Callable[[str], object]) -> None:
    found = _read(place)
    # Held by this very lock, and yet the lock was free: its process is dead.
    if found is not None and (found.get("host"), found.get("lock")) != (about["host"], about["lock"]):
        say(f"sweep '{name}' was last run by {_who(found)}: watching for {WATCH_S:.0f} s whether it still is")
        end = time.monotonic() + WATCH_S
        while time.monotonic() < end:
            time.sleep(BEAT_S / 3)
            if (now := _read(place)) is not None and now != found:
                raise _refused(name, now)
    _write(place, about, 0)
    if found is not None or storage.is_url(place):
        time.sleep(SETTLE_S)
        now = _read(place)
        if now is not None and now.get("own") != about["own"]:
            raise _refused(name, now)


def _beat(place: str, about: dict[str, object], done: threading.Event, taken: threading.Event) -> None:
    beats = 0
    while not done.wait(BEAT_S if beats else SETTLE_S):  # the first soon: two may have found the place free at once
        beats += 1
        with contextlib.suppress(Exception):  # away for a while: the next beat tries again
            now = _read(place)
            if now is not None and now.get("own") != about["own"]:
                taken.set()
                return
            _write(place, about, beats)


def _lock(folder: Path) -> str:
    """Which lock file: two containers may share a host's name and a path, and yet not a file."""
    return f"{(folder / 'lock').resolve()}#{(folder / 'lock').stat().st_ino}"


def _write(place: str, about: dict[str, object], beats: int) -> None:
    storage.write_text(storage.join(place, HOLDER), json.dumps({**about, "beats": beats}))


def _read(place: str) -> dict[str, object] | None:
    where = storage.join(place, HOLDER)
    try:
        return dict(json.loads(storage.read_text(where))) if storage.exists(where) else None
    except (ValueError, TypeError):  # cut short by a crash
        return None


def _who(found: dict[str, object]) -> str:
    return f"process {found.get('process')} on {found.get('host')}"


def _refused(name: str, found: dict[str, object] | None) -> UserError:
    who = f" ({_who(found)})" if found else ""
    return UserError(f"sweep '{name}' is being run by another process{who}; wait for it, or end it first")
