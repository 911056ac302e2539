"""Runs the book, its mirrors and the display together: what happens when a trial starts, reports and ends. No Ray here.

How a trial may lose its worker, and what follows:

- ``preempted`` (the machine is taken back, with notice): it waits for another, as often as that happens;
- ``died`` (killed, or its machine was lost): likewise, but at most DEATHS times, since it may be the trial's own doing;
- ``memory``: once more with half the micro-batch and the same batch, then it has failed;
- ``disk`` (no space left, though it was waited for): the sweep stops; nothing is lost, and a resume goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from optuna.trial import TrialState

from raykd.search.entry import Entry
from raykd.search.ledger import Ledger
from raykd.train.config import TrialSpec

DEATHS = 3


class Display(Protocol):
    """Whatever shows a sweep to a person."""

    def show(self, ledger: Ledger, changed: Entry, progress: dict[str, float]) -> None:
        """Called after every change; progress holds the part done of each trial under way."""


class Mirror(Protocol):
    """Something elsewhere that is kept like the ledger."""

    def touch(self, label: str) -> None:
        """Trial `label` has changed. Must return at once."""


class Conductor:
    """The sweep's events, one method each. clean: removes what a finished trial left, its student or all else."""

    def __init__(
        self, ledger: Ledger, mirrors: list[Mirror], display: Display, clean: Callable[[str, bool], object]
    ) -> None:
        self.ledger, self.mirrors, self.display, self._clean = ledger, mirrors, display, clean
        self.stopped: str | None = None  # why the sweep cannot go on for now
        self._progress: dict[str, float] = {}
        self._kept = ledger.keepers()
        for entry in ledger.entries():  # of a resumed sweep: a mirror may have missed something, or be new
            for mirror in mirrors:
                mirror.touch(entry.label)

    def start(self) -> TrialSpec | None:
        """The next trial, or None when there is nothing left to start."""
        spec = None if self.stopped else self.ledger.next()
        for label in self.ledger.dismissed():
            self._over(label)
        if spec is not None:
            self._progress[spec.label] = 0.0
            self._changed(spec.label)
        return spec

    def reported(self, label: str, report: dict[str, Any]) -> bool:
        """One evaluation of a trial; True if the trial is to stop."""
        stop = self.ledger.report(label, report)
        if label in self._progress:
            self._progress[label] = report["progress"]
        if stop:
            self._progress.pop(label, None)
        self._changed(label)
        return stop

    def finished(self, label: str) -> None:
        """A trial reached its end."""
        self.ledger.end(label, TrialState.COMPLETE)
        self._over(label)

    def failed(self, label: str, error: str) -> None:
        """A trial cannot be finished."""
        self.ledger.end(label, TrialState.FAIL, error=error)
        self._over(label)

    def stopped_early(self, label: str) -> None:
        """A trial ended that was told to stop."""
        self._over(label)

    def lost(self, label: str, why: str, detail: str) -> None:
        """A trial lost its worker; see the top of this file for `why` and what follows."""
        times = self.ledger.entry(label).again.get(why, 0)
        self._progress.pop(label, None)
        if self.ledger.waits(label):  # it had no need of it any more
            return
        if self.ledger.entry(label).state is not TrialState.RUNNING:
            self.stopped_early(label)
            return
        if why == "disk":
            self.stopped = detail
        elif why == "died" and times >= DEATHS:
            self.failed(label, f"its worker died {times + 1} times: {detail}")
        elif why == "memory" and times:
            self.failed(label, f"out of memory, also with half the micro-batch: {detail}")
        elif why == "memory" and not self._halves(label):
            self.failed(label, f"out of memory with one row at a time: {detail}")
        else:
            self.ledger.again(label, why)
            self._changed(label)

    def _halves(self, label: str) -> bool:
        """Whether the micro-batch of a worker can be halved."""
        spec = self.ledger.spec_of(label)
        return spec.training.batch_size // spec.workers > spec.training.accumulation

    def _over(self, label: str) -> None:
        """Keep the weights of the few that may be the champion; all others would fill the disk."""
        self._progress.pop(label, None)
        before, self._kept = self._kept, self.ledger.keepers()
        self._clean(label, label not in self._kept)
        for beaten in sorted(before - self._kept - {label}):
            self._clean(beaten, True)
        self._changed(label)

    def _changed(self, label: str) -> None:
        for mirror in self.mirrors:
            mirror.touch(label)
        self.display.show(self.ledger, self.ledger.entry(label), self._progress)
