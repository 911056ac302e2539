"""Timing two things in turn, so that whatever slows the machine down meanwhile slows both.

A machine's speed changes while one measures: other processes come and go, its clock goes up and down. Two medians that
are taken one after the other then compare two machines. In turn, each pair of neighbours saw the same one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST, MOST = 7, 200  # turns that count
ENOUGH_S = 3.0  # of turns that count
WARM_UP = 3  # turns before the clock counts
WIDE = 0.2  # a speedup whose quartiles are further apart, as a share of it, was measured on a restless machine


@dataclass(frozen=True)
class Speedup:
    """How many times as fast as the other one: ratio is the median over the turns, low and high are the quartiles."""

    ratio: float
    low: float
    high: float

    @property
    def wide(self) -> bool:
        """Whether single turns differ much."""
        return (self.high - self.low) / self.ratio > WIDE


def take_turns(
    runs: Sequence[Callable[[], object]],
    *,
    fewest: int = FEWEST,
    most: int = MOST,
    enough: float = ENOUGH_S,
    clock: Callable[[], float] = time.perf_counter,
) -> np.ndarray:
    """Time `runs` one after the other, again and again, every second time the other way round: what is cached by one
    helps the next, and a machine that slows down steadily would favour the first.

    Args:
        runs: What to time; each is done when it returns.
        fewest: Turns at least.
        most: Turns at most.
        enough: Seconds of all runs together after which no turn begins.
        clock: In seconds.

    Returns:
        [T, len(runs)] seconds of each run in each turn, those for warming up left out.
    """
    for _ in range(WARM_UP):
        for run in runs:
            run()
    turns: list[list[float]] = []
    spent = 0.0
    while len(turns) < fewest or (len(turns) < most and spent < enough):
        took = [0.0] * len(runs)
        places = range(len(runs))
        for place in places if len(turns) % 2 == 0 else reversed(places):
            began = clock()
            runs[place]()
            took[place] = clock() - began
        turns.append(took)
        spent += sum(took)
    return np.array(turns)


def speedup_of(times: np.ndarray) -> Speedup:
    """How many times as fast the second run is as the first.

    Args:
        times: [T, 2] seconds, as `take_turns` returns them.

    Returns:
        The median of the T ratios of neighbours, with their quartiles.
    """
    low, middle, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
    return Speedup(float(middle), float(low), float(high))


def load() -> tuple[float, int] | None:
    """How many processes wanted a processor over the last minute, and how many processors there are.

    Returns:
        None on a system that does not count them.
    """
    try:
        return os.getloadavg()[0], os.cpu_count() or 1
    except (AttributeError, OSError):
        return None
