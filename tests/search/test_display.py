"""What a person sees: numbers of trials, the best so far, the time left, and one line for each trial that is over."""

from __future__ import annotations

import io
import itertools

import pytest
from optuna.trial import TrialState
from rich.console import Console

from raykd.search.display import LiveDisplay, settings_text
from raykd.search.ledger import Entry

KD = {"method": "kd", "alpha": 0.5}


def entry(label: str, state: TrialState, score: float | None, evaluation: int = 8, error: str | None = None) -> Entry:
    return Entry(label, state, score, evaluation, KD, error)


ENTRIES = [
    entry("baseline", TrialState.COMPLETE, 0.8),
    entry("t0000", TrialState.COMPLETE, 0.9),
    entry("t0001", TrialState.PRUNED, 0.5, 2),
    entry("t0002", TrialState.FAIL, None, 0, "NonFiniteLoss: loss is nan at step 3"),
    entry("t0003", TrialState.RUNNING, 0.7, 4),
]


def shown(console: Console, monkeypatch: pytest.MonkeyPatch) -> str:
    clock = itertools.count(0.0, 30.0)
    monkeypatch.setattr("raykd.search.display.time.monotonic", lambda: next(clock))
    display = LiveDisplay(console, metric="accuracy", trials=9, teacher_score=0.95)
    with display:
        display.show([ENTRIES[0], entry("t0000", TrialState.RUNNING, None, 0)], {"t0000": 0.1})
        display.show(ENTRIES, {"t0003": 0.5})
        display.show(ENTRIES, {"t0003": 0.5})
        if display._live is not None:
            console.print(display._table(ENTRIES, {"t0003": 0.5}))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(Console(file=io.StringIO(), width=200), monkeypatch).splitlines()
    assert len(lines) == 4  # each trial that is over, once
    assert "t0000 done" in lines[1]
    assert "accuracy 0.9000 at evaluation 8" in lines[1]
    assert "kd alpha=0.5" in lines[1]
    assert "t0001 pruned" in lines[2]
    assert "loss is nan at step 3" in lines[3]
    assert "4/10, 1 pruned, 1 failed, best 0.9000, about" in lines[3]


def test_a_live_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None), monkeypatch)
    for part in ("1 running", "1 pruned", "best 0.9000", "left", "teacher 0.9500", "undistilled 0.8000", "t0003"):
        assert part in text


def test_settings_are_short() -> None:
    assert settings_text({"method": "ckd", "learning_rate": 3e-05, "delta": 10}) == "ckd learning_rate=3e-05 delta=10"
