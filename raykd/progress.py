"""How far a long piece of work is: a bar on a terminal, a line a minute in a log, nothing for what is soon over.

The command line says where (`show_progress`); where nobody has, as in a worker of a cluster, nothing is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

SOON = 2.0  # seconds: shorter work shows no bar
EVERY = 60.0  # seconds between two lines of a log

STRIDE = 10_000  # items between two looks at the clock

Item = TypeVar("Item")
Advance = Callable[[float], object]  # takes how many more are done


class _Display:
    """Where progress is shown, and whether it is by now: of work within other work only the outer part is."""

    console: Console | None = None
    busy = False


@contextmanager
def show_progress(console: Console) -> Iterator[None]:
    """Show on `console` what `track` follows, until this ends."""
    before, _Display.console = _Display.console, console
    try:
        yield
    finally:
        _Display.console = before


@contextmanager
def track(what: str, total: float | None, unit: str = "rows") -> Iterator[Advance]:
    """Follow a piece of work.

    Args:
        what: What is done, e.g. "tokenising train".
        total: How many there are to do; None where nobody knows.
        unit: What is counted.

    Yields:
        A function that takes how many more are done.
    """
    console = _Display.console
    if console is None or _Display.busy:
        yield lambda count: None
        return
    _Display.busy = True
    view = _Bar(console, what, total, unit) if console.is_terminal else _Lines(console, what, total, unit)
    try:
        yield view.advance
    finally:
        view.close()
        _Display.busy = False


def counted(items: Iterable[Item], what: str, unit: str = "rows") -> Iterator[Item]:
    """The same items, with progress shown as they are taken."""
    with track(what, None, unit) as advance:
        count = 0
        for item in items:
            yield item
            count += 1
            if count == STRIDE:
                advance(count)
                count = 0


class _Lines:
    """A line every EVERY seconds."""

    def __init__(self, console: Console, what: str, total: float | None, unit: str) -> None:
        self._console, self._what, self._total, self._unit = console, what, total, unit
        self._done = 0.0
        self._start = self._last = time.monotonic()

    def advance(self, count: float) -> None:
        """`count` more are done."""
        self._done += count
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self._console.print(self.line(now - self._start), markup=False)

    def line(self, seconds: float) -> str:
        """How far it is after so many seconds."""
        rate = self._done / seconds
        parts = [f"{self._what}: {self._done:,.0f}" + (f" of {self._total:,.0f}" if self._total else "")]
        parts[0] += f" {self._unit}"
        parts.append(f"{rate:,.3g} a second" if rate < 100 else f"{rate:,.0f} a second")
        if self._total and rate:
            parts.append(f"about {duration((self._total - self._done) / rate)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Nothing is left to show."""


class _Bar:
    """A bar with the rate and the time left, which goes when the work is over."""

    def __init__(self, console: Console, what: str, total: float | None, unit: str) -> None:
        self._console, self._what, self._total, self._unit = console, what, total, unit
        self._start, self._done = time.monotonic(), 0.0
        self._bar: Progress | None = None

    def advance(self, count: float) -> None:
        """`count` more are done."""
        self._done += count
        seconds = time.monotonic() - self._start
        if self._bar is None:
            if seconds < SOON:
                return
            self._bar = self._begin()
        rate = f"{self._done / seconds:,.3g} {self._unit}/s"
        self._bar.update(self._bar.task_ids[0], completed=self._done, rate=rate)

    def _begin(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        bar = Progress(*columns, TimeRemainingColumn(), console=self._console, transient=True)
        bar.add_task(self._what, total=self._total, rate="")
        bar.start()
        return bar

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.4 hours``."""
    if seconds < 180:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
