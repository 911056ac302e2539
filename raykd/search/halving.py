"""Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", section 3),
the variant that stops trials rather than pausing them: no trial ever waits for others.

Rung r lies at evaluation ``grace * reduction**r``. A trial that reaches it goes on if its score is among the best
1 in `reduction` of all that reached it so far; of the first few, only one as good as the best goes on.
"""

from __future__ import annotations

import bisect
import math


class Halving:
    """The scores at each rung, kept sorted: a verdict costs the same however many trials there were."""

    def __init__(self, grace: int, reduction: int) -> None:
        self.grace, self.reduction = grace, reduction
        self._rungs: list[list[float]] = []
        self._reached: dict[str, int] = {}  # by trial, the rungs it has passed

    def stops(self, label: str, evaluation: int, score: float) -> bool:
        """Whether trial `label` is to stop now that it scored `score` at `evaluation`. Higher is better."""
        rung = self._reached.get(label, 0)
        while evaluation >= self.grace * self.reduction**rung:
            if math.isnan(score):
                return True
            if rung == len(self._rungs):
                self._rungs.append([])
            scores = self._rungs[rung]
            bisect.insort(scores, score)
            rung += 1
            self._reached[label] = rung
            if score < scores[-max(1, len(scores) // self.reduction)]:
                return True
        return False
