"""Runs the book, the log and the display together: what happens when a trial starts, reports and ends. No Ray here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from optuna.trial import TrialState

from raykd.search.ledger import BASELINE, Entry, Ledger
from raykd.tracking.tracker import Tracker
from raykd.train.checkpoint import PREFIX
from raykd.train.config import TrialSpec
from raykd.train.reports import read_reports
from raykd.train.stages import Best
from raykd.train.trial import STUDENT


class Display(Protocol):
    """Whatever shows a sweep to a person."""

    def show(self, entries: list[Entry], progress: dict[str, float]) -> None:
        """Called after every change; progress holds the part done of each trial under way."""


class Conductor:
    """The sweep's events, one method each."""

    def __init__(self, ledger: Ledger, tracker: Tracker, display: Display) -> None:
        self.ledger, self.tracker, self.display = ledger, tracker, display
        self._progress: dict[str, float] = {}
        for entry in ledger.entries():  # a resumed sweep catches MLflow up with what happened before
            tracker.sync(entry)

    def start(self) -> TrialSpec | None:
        """The next trial, or None when there is nothing left to start."""
        spec = self.ledger.next()
        if spec is not None:
            self._progress[spec.label] = 0.0
            self._changed(spec.label)
        return spec

    def reported(self, label: str, report: dict[str, Any]) -> bool:
        """One evaluation of a trial; True if the trial is to stop."""
        may_stop = report["scored"] and report["progress"] < 1.0
        stop = self.ledger.report(label, report["evaluation"], report["score"], may_stop=may_stop)
        if label in self._progress:
            self._progress[label] = report["progress"]
        if stop:
            self._progress.pop(label, None)
        self._changed(label)
        return stop

    def ended(self, label: str, *, finished: bool, error: str | None = None) -> None:
        """A trial is over. One that neither finished nor failed was interrupted: it stays open for a resume."""
        if error is not None:
            self.ledger.end(label, TrialState.FAIL, error=error)
        elif finished:
            self.ledger.end(label, TrialState.COMPLETE)
        self._progress.pop(label, None)
        self._sweep_students()
        self._changed(label)

    def best(self) -> Entry | None:
        """The completed trial with the best score, the baseline not counted; the earliest of equals."""
        done = [e for e in self.ledger.entries() if e.state is TrialState.COMPLETE and e.label != BASELINE]
        return max(done, key=lambda entry: entry.score or float("-inf"), default=None)

    def student_of(self, label: str) -> Path:
        """Where the trained student of trial `label` lies."""
        return self.ledger.folder / "trials" / label / STUDENT

    def reports_of(self, label: str) -> list[dict[str, Any]]:
        """What trial `label` reported, each evaluation once."""
        return read_reports(self.ledger.folder / "trials" / label)

    def _changed(self, label: str) -> None:
        entries = self.ledger.entries()
        self.tracker.sync(next(entry for entry in entries if entry.label == label))
        self.display.show(entries, dict(self._progress))

    def _sweep_students(self) -> None:
        """Keep the weights of the best trial and of the baseline; all others would fill the disk."""
        best = self.best()
        for entry in self.ledger.entries():
            if entry.state is TrialState.RUNNING:
                continue
            folder = self.student_of(entry.label)
            if entry.label not in (BASELINE, best.label if best else None):
                shutil.rmtree(folder, ignore_errors=True)
            for left_over in (*folder.parent.glob(f"{PREFIX}*"), *folder.parent.glob("link-*")):
                shutil.rmtree(left_over, ignore_errors=True)
            Best(folder.parent).forget()
