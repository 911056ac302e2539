"""How far a long job is, said now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

SECONDS = 15.0  # between two lines


class Progress:
    """Of `total` texts; says how many are done and how long the rest may take, at most every SECONDS."""

    def __init__(self, total: int, say: Callable[[str], None]) -> None:
        self._total, self._say = total, say
        self._finished = 0
        self._start = self._said = time.monotonic()

    def within(self, size: int, share: float) -> None:
        """That share of the next `size` texts is done."""
        now = time.monotonic()
        done = self._finished + size * share
        if done > 0 and now - self._said >= SECONDS:
            self._said = now
            minutes = (now - self._start) * (self._total - done) / done / 60
            self._say(f"augmentation: {done:,.0f} of {self._total:,} texts, about {math.ceil(minutes)} min left")

    def finish(self, size: int) -> None:
        """The next `size` texts are done."""
        self.within(size, 1.0)
        self._finished += size
