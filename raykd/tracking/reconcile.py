"""Keeping something elsewhere (MLflow, a database, an object store) like what the sweep holds, without ever waiting.

Whoever changes something names it; one thread brings each named thing up to date, some time soon. What fails is tried
again with growing pauses until it works, so a server may be away for as long as the sweep runs. Names wait in a set:
however long a server is away, and however often a thing changes meanwhile, it is written once when it is back.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0
MOMENT_S = 2.0  # for which nobody need be told that they wait
REFUSALS = 3  # of one name in a row: a proxy may answer for a server that is only starting
GIVE_WAY = 20  # failures in a row (some minutes), after which a name lets others go first


class Reconciler:
    """Calls ``sync(name)`` for every touched name, in the order of the first touch; `sync` must be fit to be repeated.

    say: told once when `what` is found away, and once when it is back. refused: whether an error is a refusal that will
    come again; after REFUSALS of them in a row a name is let go until it is touched again, which is said once.
    """

    def __init__(
        self,
        what: str,
        sync: Callable[[str], object],
        say: Callable[[str], object],
        refused: Callable[[Exception], bool] = lambda error: False,
    ) -> None:
        self.what = what
        self.refusal = ""  # why a name was let go, the first time
        self._sync, self._say, self._refused = sync, say, refused
        self._unwritten: set[str] = set()  # names that were let go
        self._names: dict[str, None] = {}
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"raykd-{what}", daemon=True)
        self._thread.start()

    def touch(self, name: str) -> None:
        """`name` has changed. Returns at once."""
        with self._changed:
            self._names[name] = None
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until everything touched so far is written; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._names and not self._busy, timeout)

    def close(self, timeout: float, waiting: Callable[[int], object] = lambda left: None) -> int:
        """Wait as `wait` does, then stop. Returns how many names are left unwritten.

        waiting: told how many are left, where that takes longer than a moment.
        """
        if not self.wait(min(MOMENT_S, timeout)) and timeout > MOMENT_S:
            with self._changed:
                left = len(self._names) + self._busy
            waiting(left)
            self.wait(timeout - MOMENT_S)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return len({*self._names, *self._unwritten}) + self._busy

    def _run(self) -> None:
        away_since: float | None = None
        pause = FIRST_PAUSE_S
        failed, failures = "", 0  # the name that failed last, and how often in a row
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._names or self._closed)
                if self._closed:
                    return
                name = next(iter(self._names))
                del self._names[name]
                self._busy = True
            try:
                self._sync(name)
            except Exception as error:
                failures = failures + 1 if name == failed else 1
                failed = name
                if failures >= (1 if self.refusal else REFUSALS) and self._refused(error):
                    self._let_go(name, error)
                    failed, pause = "", FIRST_PAUSE_S
                    continue
                with self._changed:  # first again, in its order; but one that can never be written must not stop others
                    first, last = ({}, {name: None}) if failures % GIVE_WAY == 0 else ({name: None}, {})
                    self._names = first | self._names | last
                    self._busy = False
                if away_since is None and not self._refused(error):
                    away_since = time.monotonic()
                    self._tell(f"{self.what} is away ({reason(error)}); the sweep goes on and writes it later")
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                if away_since is not None:
                    self._tell(f"{self.what} is back after {time.monotonic() - away_since:.0f} s")
                    away_since, pause = None, FIRST_PAUSE_S
                with self._changed:
                    self._unwritten.discard(name)
                    self._busy = False
                    self._changed.notify_all()

    def _let_go(self, name: str, error: Exception) -> None:
        if not self.refusal:
            self.refusal = reason(error)
            self._tell(f"{self.what} refuses for good ({self.refusal}); the sweep goes on, not all of it written there")
        with self._changed:
            self._unwritten.add(name)
            self._busy = False
            self._changed.notify_all()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads along any more: this thread has work all the same
            self._say(line)


def reason(error: BaseException) -> str:
    """The first line of what lies behind `error`: what libraries say around it tells little."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
