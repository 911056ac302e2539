"""The last lines of a sweep, once all is written: where MLflow has it, what fell short, how it ended; its exit code."""

from __future__ import annotations

from optuna.trial import TrialState
from rich.console import Console
from rich.markup import escape

from raykd.interrupts import Interrupted
from raykd.resume_line import resume_line
from raykd.search.sweep import SweepResult

NO_STUDENT = 1


def print_last_words(result: SweepResult, console: Console) -> int:
    """Print them.

    Returns:
        The exit code: 0 only where there is a student and nobody asked the sweep to end.
    """
    if result.model is not None:
        console.print(f"model:   {result.model} in {result.spec.tracking_uri}", markup=False)
    if result.page is not None:
        console.print(f"runs:    {result.page}", markup=False)
    for note in [result.stopped] * bool(result.stopped) + [*result.notes]:
        console.print(f"[yellow]{escape(note)}[/]")
    again = resume_line(result.spec.task.name, result.spec.name)
    if result.signal:
        console.print(f"interrupted: {_trials(result)}; go on with: {again}", markup=False)
        return Interrupted(result.signal).code
    if result.student is None:
        console.print(f"no student: {_why_none(result)}; go on with: {again}", markup=False)
        return NO_STUDENT
    if not result.complete:
        console.print(f"not complete: {_trials(result)}; go on with: {again}", markup=False)
    return 0


def _trials(result: SweepResult) -> str:
    running = sum(entry.state is TrialState.RUNNING for entry in result.entries)
    said = f"{len(result.entries) - running} of {result.planned} trials are kept"
    return said + (f", {running} under way (from the last checkpoint on)" if running else "")


def _why_none(result: SweepResult) -> str:
    """Why a sweep that nobody interrupted has no student."""
    failed = [entry for entry in result.entries if entry.state is TrialState.FAIL]
    if result.stopped:
        return f"the sweep had to stop ({result.stopped})"
    if not failed:
        return f"the time was over before a trial was complete ({_trials(result)})"
    first = (failed[0].error or "unknown").splitlines()[0]
    return f"{len(failed)} of {len(result.entries)} trials failed, {failed[0].label} by {first}"
