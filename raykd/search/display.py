"""What a person sees while a sweep runs: a live table on a terminal, one line a change elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from optuna.trial import TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raykd.search.entry import Entry
from raykd.search.ledger import Ledger

ROWS = 30  # of the table: more would not fit a terminal
WHY = {"preempted": "its machine was taken back", "died": "its worker died", "memory": "out of memory"}


class LiveDisplay:
    """Trials running, done, pruned, failed; the best so far; the time left. Use as a context manager."""

    def __init__(self, console: Console, *, metric: str, teacher_score: float) -> None:
        self.console, self.metric = console, metric
        self.teacher_score = teacher_score
        self._started = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._told: set[str] = set()
        self._losses: dict[str, int] = {}
        self._drawn = 0.0
        self._behind: float | None = None  # trials' worth of work that an earlier process did

    def __enter__(self) -> LiveDisplay:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def show(self, ledger: Ledger, changed: Entry, progress: dict[str, float]) -> None:
        """Draw the state of the sweep after a change of one trial."""
        if changed.state is not TrialState.RUNNING and changed.label not in self._told:
            self._told.add(changed.label)
            self.console.print(self._line(ledger, changed, progress), highlight=False)
        self._again(changed)
        if self._live and time.monotonic() - self._drawn > 0.2:
            self._drawn = time.monotonic()
            self._live.update(self._table(ledger, progress))

    def _again(self, entry: Entry) -> None:
        """Say it when a trial lost its worker and will go on elsewhere."""
        times = sum(entry.again.values())
        if times > self._losses.get(entry.label, 0):
            self._losses[entry.label] = times
            why = ", ".join(f"{WHY[reason]} {count} x" for reason, count in entry.again.items())
            line = Text(f"{entry.label:>9} ").append("again  ", style="yellow").append(why)
            self.console.print(line, highlight=False)

    def _line(self, ledger: Ledger, entry: Entry, progress: dict[str, float]) -> Text:
        """One line for a trial that is over."""
        style = {TrialState.COMPLETE: "green", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}[entry.state]
        word = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}[entry.state]
        text = Text(f"{entry.label:>9} ").append(f"{word:<7}", style=style)
        if entry.error:
            text.append(f"{entry.error}  ")
        elif entry.score is not None:
            text.append(f"{self.metric} {entry.score:.4f} at evaluation {entry.evaluation}  ")
        text.append(settings_text(entry.settings), style="dim")
        return text.append(f"  [{self._summary(ledger, progress)}]", style="dim")

    def _summary(self, ledger: Ledger, progress: dict[str, float]) -> str:
        states = ledger.tally
        over = states[TrialState.COMPLETE] + states[TrialState.PRUNED] + states[TrialState.FAIL]
        parts = [f"{over}/{ledger.planned}", f"{states[TrialState.PRUNED]} pruned"]
        if states[TrialState.FAIL]:
            parts.append(f"{states[TrialState.FAIL]} failed")
        if (best := ledger.best()) is not None:
            parts.append(f"best {best.score:.4f}")
        if left := self._time_left(over, ledger.planned, progress):
            parts.append(f"about {left} left")
        return ", ".join(parts)

    def _time_left(self, over: int, planned: int, progress: dict[str, float]) -> str:
        """From the share of all trials' work that is behind us; nothing before there is any."""
        done = over + sum(progress.values())
        if self._behind is None:
            self._behind = done
        if done - self._behind < 1:
            return ""
        seconds = (time.monotonic() - self._started) / (done - self._behind) * (planned - done)
        return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

    def _table(self, ledger: Ledger, progress: dict[str, float]) -> Group:
        table = Table(box=None, padding=(0, 1))
        for heading in ("trial", "progress", "evaluation", self.metric, "settings"):
            table.add_column(heading, style="dim" if heading == "settings" else "")
        for label, part in list(progress.items())[:ROWS]:
            entry = ledger.entry(label)
            score = f"{entry.score:.4f}" if entry.score is not None else "-"
            bar = ProgressBar(total=1.0, completed=part, width=20)
            table.add_row(label, bar, str(entry.evaluation), score, settings_text(entry.settings))
        baseline = ledger.baseline_score
        line = f"{len(progress)} running, {self._summary(ledger, progress)}; teacher {self.teacher_score:.4f}"
        if baseline is not None:
            line += f", undistilled {baseline:.4f}"
        return Group(table, Text(line))


def settings_text(settings: dict[str, object]) -> str:
    """``method name=value ...`` in short form."""
    values = {key: f"{v:g}" if isinstance(v, float) else str(v) for key, v in settings.items() if key != "method"}
    return " ".join([str(settings.get("method", "")), *(f"{key}={value}" for key, value in values.items())])
