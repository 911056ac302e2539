"""A line of a sweep's book, and an evaluation of a trial, as the ledger keeps them in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from optuna.trial import TrialState

from raykd.search.finals import BASELINE, parse
from raykd.search.journal import Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the book. score is the last reported value, evaluation its number; again counts by reason how often
    the trial had to be started again."""

    label: str
    state: TrialState
    score: float | None
    evaluation: int
    settings: dict[str, Any]
    error: str | None = None
    again: Mapping[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["baseline", "search", "final"]:
        """What the trial is for."""
        return "baseline" if self.label == BASELINE else "final" if parse(self.label) else "search"


@dataclass(frozen=True, slots=True)
class Mark:
    """One evaluation of a trial, and where in the journal all of it stands."""

    progress: float
    score: float
    place: Place
