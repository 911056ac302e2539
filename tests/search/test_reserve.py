"""A time budget: when the search is closed, that the finals then fit, and that a crash or a resume changes nothing of
it."""

from __future__ import annotations

import heapq
from pathlib import Path

import pytest
from optuna.trial import TrialState

from raykd.search.finals import parse
from raykd.search.found import look
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.reserve import Reserve
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from tests.search.conftest import report, started

pytestmark = pytest.mark.usefixtures("quick")

PACE = 100.0  # seconds an epoch of a trial; each has one or two
FINALS = 2 * 4 / 2 * 2 * PACE  # of two seeds, four runs each, two at once, two epochs


class Clock:
    """Tells the time of a simulated sweep."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def spec(spec: SweepSpec) -> SweepSpec:
    """Longer than any budget here; the sampler draws evenly, whatever came out before."""
    training = spec.training.model_copy(update={"epochs": 2})
    few = {"trials": 20, "finalists": 2, "final_seeds": 2, "pruner": "none", "sampler": "random"}
    return spec.model_copy(update={**few, "training": training})


def open_(folder: Path, spec: SweepSpec, space: Space) -> Ledger:
    return Ledger(Journal(folder), spec, space, "trials")


def finish(ledger: Ledger, label: str, score: float = 0.5, trained: float = 8.0) -> None:
    ledger.report(label, {**report(8, score), "seconds": trained})
    ledger.end(label, TrialState.COMPLETE)


def epochs(ledger: Ledger, label: str) -> float:
    return float(ledger.entry(label).settings.get("epochs", 2))


def play(ledger: Ledger, budget: float, told: list[str]) -> float:
    """The sweep with two at once, as Ray would run it, until it or the budget is over; the seconds that it took."""
    clock = Clock()
    reserve = Reserve(ledger, budget, told.append, clock)
    running: list[tuple[float, str]] = []
    while clock.now < budget:
        while len(running) < 2:
            reserve.check()
            if (spec := ledger.next()) is None:
                break
            reserve.began(spec.label)
            heapq.heappush(running, (clock.now + PACE * epochs(ledger, spec.label), spec.label))
        if not running:
            break
        clock.now, label = heapq.heappop(running)
        if clock.now > budget:
            break
        finish(ledger, label, sum(label.encode()) % 7 / 10, 0.95 * PACE * epochs(ledger, label))
        reserve.ended(label)
    return clock.now


def of_search(ledger: Ledger) -> int:
    return sum(entry.kind == "search" for entry in ledger.entries())


@pytest.mark.parametrize("budget", [1500.0, 1700.0, 2000.0, 2500.0])
def test_the_finals_fit(tmp_path: Path, spec: SweepSpec, space: Space, budget: float) -> None:
    told: list[str] = []
    ledger = open_(tmp_path, spec, space)
    took = play(ledger, budget, told)
    assert took <= budget
    assert ledger.closed
    assert ledger.exhausted
    assert not ledger.running
    assert 2 <= of_search(ledger) < 20
    assert {len(of) for of in ledger.finals().values()} == {2}
    assert len(told) == 1
    assert f"closed after {of_search(ledger)} of 20 trials, to leave time for the finals (about" in told[0]
    assert took > budget - 4 * PACE - 0.1 * FINALS  # and little of it was left over
    assert ledger.planned == len(ledger.entries())
    assert look(ledger, spec, ()).champion is not None


def test_enough_time_closes_nothing(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    told: list[str] = []
    ledger = open_(tmp_path, spec, space)
    play(ledger, 10_000.0, told)
    assert ledger.exhausted
    assert not ledger.closed
    assert told == []
    assert of_search(ledger) == 20


def test_a_search_that_is_over_is_not_closed(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """Not while the finals run, whether trials or points of the space came to an end."""
    for name, trials in (("trials", 3), ("points", 100)):
        told: list[str] = []
        ledger = open_(tmp_path / name, spec.model_copy(update={"trials": trials}), space)
        play(ledger, 1e6, [])
        clock = Clock()
        reserve = Reserve(ledger, 10.0, told.append, clock)
        assert ledger.next() is None
        clock.now = 9.0
        reserve.check()
        assert told == []
        assert not ledger.closed


def test_the_search_has_a_quarter_at_least(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """Where the finals do not fit by far, those of the first seed come first."""
    told: list[str] = []
    ledger = open_(tmp_path, spec.model_copy(update={"final_seeds": 9}), space)
    play(ledger, 2000.0, told)
    assert ledger.closed
    assert not ledger.exhausted
    assert of_search(ledger) >= 3
    ran = [final.number for entry in ledger.entries() if (final := parse(entry.label)) is not None]
    assert ran == sorted(ran)
    assert 1 < max(ran) < 9
    assert not look(ledger, spec, ()).contenders


def test_nothing_to_confirm_closes_nothing(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger, clock = open_(tmp_path, spec, space), Clock()
    reserve = Reserve(ledger, 1000.0, pytest.fail, clock)
    reserve.check()
    for _ in range(3):
        label = started(ledger)
        reserve.began(label)
        clock.now += 300.0
        if label == "baseline":
            finish(ledger, label)
        else:
            ledger.end(label, TrialState.FAIL, error="x")
        reserve.ended(label)
        reserve.check()
    assert not ledger.closed


def test_what_the_finals_take(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """By hand: two finalists as long as the longest trial, the baselines by their epochs, two seeds, two at once."""
    ledger, clock = open_(tmp_path, spec, space), Clock()
    reserve = Reserve(ledger, 1e6, pytest.fail, clock)
    assert reserve.finals == 0.0

    def ran(trained: float, beside: float) -> None:
        label = started(ledger)
        reserve.began(label)
        clock.now += trained + beside
        finish(ledger, label, trained=trained)
        reserve.ended(label)

    def finals(beside: float) -> float:
        slow = max(100.0 / epochs(ledger, "t0000"), 10.0)
        plain, kd = 40.0, slow * epochs(ledger, "baseline")
        places = [0.0, 0.0]
        for seconds in [plain, kd, 100.0, 100.0, plain, kd, 100.0, 100.0]:
            heapq.heapreplace(places, places[0] + seconds + beside)
        return max(places)

    ran(40.0, beside=500.0)
    ran(100.0, beside=9.0)
    ran(10.0, beside=3.0)
    assert reserve.finals == pytest.approx(finals(beside=3.0))
    ran(10.0, beside=-1.0)  # it had begun before
    assert reserve.finals == pytest.approx(finals(beside=3.0))
    assert Reserve(open_(tmp_path, spec, space), 1e6, pytest.fail, clock).finals == pytest.approx(finals(beside=0.0))


def test_closed_is_closed_for_the_next_driver_too(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    for _ in range(3):
        finish(ledger, started(ledger))
    under_way = started(ledger)
    ledger.close()
    ledger.close()
    assert ledger.next() is None  # until that one is over
    assert (tmp_path / "journal" / "000001.jsonl").read_text().count('"close"') == 1
    again = open_(tmp_path, spec, space)
    assert again.closed
    assert started(again) == under_way
    finish(again, under_way)
    assert started(again) == "baseline-s1"


def test_a_closed_search_goes_on_where_it_is_reopened(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    ledger = open_(tmp_path, spec, space)
    play(ledger, 1500.0, [])
    had = of_search(ledger)
    assert open_(tmp_path, spec, space).next() is None
    again = open_(tmp_path, spec, space)
    again.reopen()
    assert not again.closed
    assert started(again) == f"t{had:04d}"
    finish(again, f"t{had:04d}", 0.99)
    third = open_(tmp_path, spec, space)
    assert not third.closed
    third.close()
    assert [started(third) for _ in range(2)] == [f"t{had:04d}-s1", f"t{had:04d}-s2"]  # what has run stays
    assert third.next() is None


def test_who_waits_at_a_rung_goes_no_further(tmp_path: Path, spec: SweepSpec, space: Space) -> None:
    """But where nobody has come to the end yet the best does."""
    ledger = open_(tmp_path, spec.model_copy(update={"pruner": "promotion"}), space)
    finish(ledger, started(ledger))
    for label in [started(ledger) for _ in range(3)]:
        assert ledger.report(label, report(2, 0.6 - int(label[1:]) / 10))
    ledger.close()
    assert started(ledger) == "t0000"
    finish(ledger, "t0000", 0.7)
    assert started(ledger) == "baseline-s1"
    assert [ledger.entry(label).state for label in ("t0001", "t0002")] == [TrialState.PRUNED] * 2
