"""Progress: lines in a log, a bar on a terminal, nothing where nobody looks."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from raykd import progress
from raykd.progress import counted, duration, show_progress, track


class Clock:
    """Seconds that a test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None, legacy_windows=False)


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_a_line_a_minute_in_a_log(clock: Clock) -> None:
    log = console(terminal=False)
    with show_progress(log), track("tokenising", 900_000) as advance:
        for clock.now in range(10, 190, 10):
            advance(3_000)
    assert written(log).splitlines() == [
        "tokenising: 18,000 of 900,000 rows, 300 a second, about 49 min left",
        "tokenising: 36,000 of 900,000 rows, 300 a second, about 48 min left",
        "tokenising: 54,000 of 900,000 rows, 300 a second, about 47 min left",
    ]


def test_what_is_soon_over_says_nothing(clock: Clock) -> None:
    for to in (console(terminal=False), console(terminal=True)):
        with show_progress(to), track("reading", None) as advance:
            advance(5)
            clock.now += 1
            advance(5)
        assert written(to) == ""


def test_of_unknown_length(clock: Clock) -> None:
    log = console(terminal=False)
    with show_progress(log), track("reading", None, "lines") as advance:
        clock.now = 80
        advance(40)
    assert written(log) == "reading: 40 lines, 0.5 a second\n"


def test_a_bar_on_a_terminal(clock: Clock) -> None:
    to = console(terminal=True)
    with show_progress(to), track("teaching", 100) as advance:
        clock.now = 20
        advance(50)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written(to))
    assert "teaching" in shown
    assert "50/100" in shown
    assert "2.5 rows/s" in shown


def test_nobody_looks(clock: Clock) -> None:
    log = console(terminal=False)
    with show_progress(log):
        pass
    with track("reading", 10) as advance:
        clock.now = 600
        advance(5)
    assert written(log) == ""


def test_of_two_the_outer_one(clock: Clock) -> None:
    log = console(terminal=False)
    with show_progress(log), track("teaching", 10) as outer, track("answering", 10) as inner:
        clock.now = 100
        inner(1)
        outer(1)
    assert [line.partition(":")[0] for line in written(log).splitlines()] == ["teaching"]


def test_items_stay_as_they_are(clock: Clock) -> None:
    log = console(terminal=False)

    def slow() -> range:
        clock.now += 61
        return range(25_000)

    with show_progress(log):
        assert list(counted(slow(), "reading a.csv")) == list(range(25_000))
    with show_progress(log), pytest.raises(ValueError, match="it breaks"), track("tokenising", 1):
        raise ValueError("it breaks")
    with show_progress(log), track("teaching", 1) as advance:
        clock.now += 100
        advance(1)
    assert "teaching" in written(log)


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 179, 180, 7199)] == ["0 s", "179 s", "3 min", "120 min"]
    assert duration(7200) == "2.0 hours"
