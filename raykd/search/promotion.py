"""Asynchronous successive halving that pauses and promotes (Li et al. 2020, algorithm 2) instead of stopping.

A trial waits at each rung until it is among the best 1 in `reduction` of all that have reached it, however many came
after it; then it goes on from its checkpoint. So no early comer is carried on, or thrown out, for want of company.
Where rungs lie and what the floor is, is as in `raykd.search.halving`; but a score at the floor, which says nothing,
carries nobody on. Trials that have no score early wait among those that missed the same rungs.
"""

from __future__ import annotations

import bisect
import math

from raykd.search.halving import standing

Where = tuple[int, int, str]  # an evaluation, how many rungs are decided there at once, and among whom


class Promotion:
    """Who has reached which rung, and who waits there."""

    def __init__(self, grace: int, reduction: int, floor: float = -math.inf) -> None:
        self.grace, self.reduction, self.floor = grace, reduction, floor
        self._reached: dict[Where, list[tuple[float, int, str]]] = {}  # (-score, arrival, trial), sorted
        self._latest: dict[str, int] = {}  # by trial: its last evaluation with a score
        self._waits: dict[str, Where] = {}  # by trial: where it waits

    def waits(self, label: str, evaluation: int, score: float, among: str = "") -> bool:
        """Whether trial `label` is to wait now that it scored `score` at `evaluation`. Higher is better. among: only
        trials of the same are compared."""
        latest = self._latest.get(label, 0)
        if evaluation <= latest:  # told before
            return False
        self._latest[label] = evaluation
        missed, rung = standing(evaluation, latest, self.grace, self.reduction)
        if not rung and not missed:
            return False
        level = -math.inf if math.isnan(score) else max(score, self.floor)
        here = (evaluation, missed + rung, among)
        bisect.insort(self._reached.setdefault(here, []), (-level, len(self._latest), label))
        self._waits[label] = here
        if label in self._leading(here):
            del self._waits[label]
            return False
        return True

    def next(self) -> str | None:
        """A waiting trial that may go on by now: of those that are farthest, the best of its like."""
        for where in sorted(set(self._waits.values()), reverse=True):
            for label in self._leading(where):
                if self._waits.get(label) == where:
                    return label
        return None

    def best(self) -> str | None:
        """Of the trials that wait farthest on, the best: who goes on if nobody else does."""
        farthest = max((where[0] for where in self._waits.values()), default=0)
        there = [one for where, reached in self._reached.items() if where[0] == farthest for one in reached]
        return next((label for _, _, label in sorted(there) if self._waits.get(label, (0, 0, ""))[0] == farthest), None)

    def goes_on(self, label: str) -> None:
        """Trial `label` waits no longer."""
        self._waits.pop(label, None)

    def _leading(self, where: Where) -> list[str]:
        """The trials that have earned their places there, the best first."""
        count = len(self._reached[where]) // self.reduction ** where[1]
        return [label for level, _, label in self._reached[where][:count] if -level > self.floor]
