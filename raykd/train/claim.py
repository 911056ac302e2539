"""One process a trial: the newest that was started.

A worker that Ray believes dead may live on behind a broken network, and go on writing to the trial's folder while
another runs the trial again. So each start leaves its own token there, and whoever finds another's goes.
"""

from __future__ import annotations

import time
import uuid

from raykd import storage

CLAIM = "claim"
LOOK_EVERY_S = 5.0


class Superseded(Exception):
    """Another process runs this trial now."""


class Claim:
    """This process's claim on the trial in `folder` (a path or a URL)."""

    def __init__(self, folder: str) -> None:
        self._place = storage.join(folder, CLAIM)
        self._own = uuid.uuid4().hex
        self._next = time.monotonic() + LOOK_EVERY_S
        storage.write_text(self._place, self._own)

    def check(self) -> None:
        """Raises Superseded if a newer process has claimed the trial. Looks every few seconds at most."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_EVERY_S
        if storage.exists(self._place) and storage.read_text(self._place) != self._own:
            raise Superseded(f"{self._place} names another process")
