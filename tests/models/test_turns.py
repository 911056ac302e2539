"""Two networks timed in turn, on clocks that say what a machine does to them: slow phases, drifts, interruptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykd.models.turns import FEWEST, MOST, WARM_UP, load, speedup_of, take_turns


@dataclass
class Machine:
    """Runs take `work` seconds each, times how slow the machine is at that moment."""

    slowness: Callable[[float], float] = lambda now: 1.0
    now: float = 0.0
    log: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def run(self, name: str, work: float) -> Callable[[], None]:
        def go() -> None:
            self.log.append(name)
            self.now += work * self.slowness(self.now)

        return go

    def pair(self, first: float, second: float) -> list[Callable[[], None]]:
        return [self.run("A", first), self.run("B", second)]


def test_they_run_in_turn_every_second_time_the_other_way_round() -> None:
    machine = Machine()
    times = take_turns(machine.pair(0.4, 0.1), fewest=4, most=4, enough=99, clock=machine.clock)
    assert "".join(machine.log) == "AB" * WARM_UP + "ABBAABBA"
    np.testing.assert_allclose(times, [[0.4, 0.1]] * 4)
    assert speedup_of(times).ratio == pytest.approx(4.0)


@pytest.mark.parametrize(("work", "count"), [(0.001, MOST), (10.0, FEWEST), (0.05, 30)])
def test_as_many_turns_as_time_allows(work: float, count: int) -> None:
    machine = Machine()
    times = take_turns(machine.pair(work, work), enough=3.0 - 1e-9, clock=machine.clock)
    assert times.shape == (count, 2)


def one_after_the_other(machine: Machine, first: float, second: float) -> float:
    """How it was done before: the median of one, then the median of the other."""
    medians = []
    for work in (first, second):
        run = machine.run("", work)
        took = []
        for _ in range(50):
            began = machine.now
            run()
            took.append(machine.now - began)
        medians.append(float(np.median(took)))
    return medians[0] / medians[1]


def test_a_slow_phase_slows_both() -> None:
    """The machine is three times as slow for a while that may fall on either."""
    own, before = [], []
    for start in np.linspace(-6, 6, 13):

        def slowness(now: float, start: float = float(start)) -> float:
            return 3.0 if start <= now < start + 4 else 1.0

        machine = Machine(slowness)
        own.append(speedup_of(take_turns(machine.pair(0.04, 0.02), clock=machine.clock)).ratio)
        before.append(one_after_the_other(Machine(slowness), 0.04, 0.02))
    assert max(own) / min(own) < 1.01
    assert max(before) / min(before) > 2


def test_a_machine_that_slows_down_steadily_favours_nobody() -> None:
    machine = Machine(lambda now: 1 + now / 10)
    times = take_turns(machine.pair(0.04, 0.02), clock=machine.clock)
    assert speedup_of(times).ratio == pytest.approx(2.0, rel=0.005)
    assert np.median(times[:, 0]) > 0.042


def test_interruptions_show_in_the_spread_and_not_in_the_middle() -> None:
    chance = np.random.default_rng(0)
    calm, torn = Machine(), Machine(lambda now: 5.0 if chance.random() < 0.2 else 1.0)
    still = speedup_of(take_turns(calm.pair(0.01, 0.005), clock=calm.clock))
    found = speedup_of(take_turns(torn.pair(0.01, 0.005), clock=torn.clock))
    assert not still.wide
    assert found.ratio == pytest.approx(2.0)
    assert found.low <= 2.0 <= found.high
    wild = Machine(lambda now: float(chance.uniform(1, 4)))
    assert speedup_of(take_turns(wild.pair(0.01, 0.005), clock=wild.clock)).wide


@given(st.lists(st.tuples(st.floats(0.001, 10), st.floats(0.001, 10)), min_size=1, max_size=30))
def test_the_speedup_is_the_middle_of_the_ratios_as_a_loop_finds_it(turns: list[tuple[float, float]]) -> None:
    ratios = sorted(first / second for first, second in turns)

    def at(share: float) -> float:
        place = share * (len(ratios) - 1)
        low = int(place)
        high = min(low + 1, len(ratios) - 1)
        return ratios[low] + (ratios[high] - ratios[low]) * (place - low)

    found = speedup_of(np.array(turns))
    assert (found.low, found.ratio, found.high) == pytest.approx((at(0.25), at(0.5), at(0.75)))


def test_the_load_of_this_machine() -> None:
    found = load()
    assert found is None or (found[0] >= 0 and found[1] >= 1)
