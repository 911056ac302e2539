"""Ctrl-C and the signals that ask a process to end, as one exception that says what is kept.

Between two of them a phase that can save itself (training, a sweep) takes the first as a request, and goes at the next
step; a second one ends it at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class Interrupted(KeyboardInterrupt):
    """The process was asked to end by signal `number`. kept: what stands of the work, for a person; again: the command
    line that goes on with it, where that is another than the one that was started."""

    def __init__(self, number: int = signal.SIGINT, kept: str = "", again: str = "") -> None:
        super().__init__(number)
        self.number, self.kept, self.again = int(number), kept, again

    @property
    def code(self) -> int:
        """The exit code by which a shell knows the signal: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


def heed() -> None:
    """Turn the signals that end this process into `Interrupted`. One that is ignored (nohup, a shell's background job)
    stays so."""
    for number in ENDING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _raise)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put what `heed` has set up back after the block, which may bring handlers of its own: Ray does."""
    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in ENDING if main and signal.getsignal(number) is _raise]
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, _raise)


class Request:
    """Whether this process was asked to end; `number` is the signal's, 0 for none. Called, it answers the question."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> bool:
        return self.number != 0


@contextmanager
def request() -> Iterator[Request]:
    """Within the block the first signal is a request, which the block asks for; the next one acts as outside of it.

    Outside the main thread signals cannot be heard, and there is never a request.
    """
    asked = Request()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in ENDING}

    def first(number: int, frame: FrameType | None) -> None:
        asked.number = number
        for each, handler in heard.items():
            signal.signal(each, handler)

    heard = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, first)
    try:
        yield asked
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
