"""Stops trials that do worse than the best so far on the same examples, by more than luck with the examples.

At evaluation ``grace * reduction**r``, the rungs of raykd.search.halving, a trial's goodness example by example is
compared with that of the best that was there before it. Two models find the same sentences hard, so far smaller
differences show than between two scores.

Two tests must both say so, because each is too bold somewhere. The bootstrap of the mean is where only a handful of
answers differ, as early in training (measured at level 0.05: it stops 6% of equal trials). Signed ranks, exact there,
ask for the middle and not the mean, and take rare large errors of a number for none (measured: they stop 98% of the
trials with the same mean squared error of another shape). Together they stop 1% to 4% of equal ones, 10% of the last.

That is against one other. The best of many is also the luckiest: at level 0.05 the share of equal trials that is
stopped is 3% of 2, 7% of 5, 19% of 20 and 42% of 100, which is still far fewer than halving stops of them.
"""

from __future__ import annotations

import math

import numpy as np

from raykd.report.paired_tests import paired_bootstrap, wilcoxon


class Paired:
    """The goodness of the best at each rung: one array a rung, however many trials there were."""

    def __init__(self, grace: int, reduction: int, level: float = 0.05) -> None:
        self.grace, self.reduction, self.level = grace, reduction, level
        self._best: dict[int, tuple[float, np.ndarray]] = {}  # by evaluation: score and goodness [N]
        self._latest: dict[str, int] = {}  # by trial, its last evaluation

    def stops(self, label: str, evaluation: int, score: float, goodness: np.ndarray | None) -> bool:
        """Whether trial `label` is to stop now that it scored `score` at `evaluation`. Higher is better.

        goodness: [N] how good each answer was, of the same examples in the same order for all trials
        (raykd.tasks.predictions.goodness); None if that is unknown, then it goes on and nobody is compared with it.
        Only the evaluation itself counts: a trial that skips a rung, having had no score there, is judged at its next.
        A score that is not a number stops from the grace on. Raises ValueError for goodness of other examples.
        """
        if evaluation <= self._latest.get(label, 0):  # told before
            return False
        self._latest[label] = evaluation
        if math.isnan(score):
            return evaluation >= self.grace
        if goodness is None or not self._is_rung(evaluation):
            return False
        best = self._best.get(evaluation)
        if best is None or score > best[0]:
            self._best[evaluation] = (score, goodness.copy())
        return best is not None and score < best[0] and self._worse(goodness, best[1])

    def _worse(self, goodness: np.ndarray, best: np.ndarray) -> bool:
        return wilcoxon(best, goodness) < self.level and paired_bootstrap(best, goodness) < self.level

    def _is_rung(self, evaluation: int) -> bool:
        rung = self.grace
        while rung < evaluation:
            rung *= self.reduction
        return rung == evaluation
