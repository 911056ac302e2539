"""A folder to work in on this machine, and its copy where other machines find it."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Lock

from raykd.storage.folders import download, each, local_files, seals_last
from raykd.storage.places import put_file, remove_below

# A file changed twice within one tick of the file system's clock may look unchanged: files are looked at a tick after
# they were written, and what changes meanwhile is sent again the next time.
TICK_NS = 20_000_000

Mark = tuple[int, int, int]  # size in bytes, time of change in ns, inode


class Mirror:
    """The working folder `folder` and its copy at `url`. One process pushes to a `url` at a time."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        # What is known to be at the URL from here; None for a file that must be sent again. What others put there is
        # not known, and so never removed.
        self._known: dict[str, Mark | None] = {}
        self._lock = Lock()

    def pull(self) -> None:
        """Makes `folder` exactly what `url` holds, in place; an empty folder when there is nothing.

        A push that was cut short may have left a checkpoint without its state.json: it is not finished.
        """
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            download(self.url, self.folder)
            self._known = dict(self._marks())

    def push(self) -> None:
        """Sends what changed since the last pull or push, then removes there what has gone here since.

        Wherever it is cut short, a checkpoint at the URL that has its state.json is whole: state.json is sent last
        and removed first.
        """
        with self._lock:
            now = self._marks()
            gone = self._known.keys() - now.keys()
            # A file where a folder is to be, or the other way round, cannot wait for the end.
            self._remove({name for name in gone if _in_the_way(name, now)}, now)
            changed = [name for name, mark in now.items() if mark is None or self._known.get(name) != mark]
            for names in seals_last(changed):
                each(names, lambda name, cancelled: self._send(name, now[name], cancelled))
            self._remove(self._known.keys() - now.keys(), now)

    def _marks(self) -> dict[str, Mark | None]:
        young = time.time_ns()
        time.sleep(TICK_NS / 1e9)
        stats = local_files(self.folder)
        return {n: (s.st_size, s.st_mtime_ns, s.st_ino) if s.st_mtime_ns < young else None for n, s in stats.items()}

    def _send(self, name: str, mark: Mark | None, cancelled: Event) -> None:
        try:
            put_file(self.folder / name, self.url, name, cancelled)
        except FileNotFoundError:
            if (self.folder / name).exists():
                raise
            return  # removed here since it was listed: the next push removes it there if it was there
        self._known[name] = mark

    def _remove(self, names: set[str], now: dict[str, Mark | None]) -> None:
        rest, seals = seals_last(names)
        each(seals, self._remove_one)
        # A folder that has gone is removed as one: file by file, object stores would keep it as an empty folder.
        live = {parent for name in now for parent in _parents(name)}
        each({next((p for p in _parents(name) if p not in live), name) for name in rest + seals}, self._remove_one)

    def _remove_one(self, name: str, cancelled: Event) -> None:
        remove_below(self.url, name, cancelled)
        for known in list(self._known):  # other threads change it too
            if known == name or known.startswith(f"{name}/"):
                self._known.pop(known, None)


def _parents(name: str) -> list[str]:
    """The folders above a file, the outermost first: ``a/b/c`` gives ``a`` and ``a/b``."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _in_the_way(name: str, now: dict[str, Mark | None]) -> bool:
    return any(parent in now for parent in _parents(name)) or any(name in _parents(other) for other in now)
