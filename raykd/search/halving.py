"""Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", section 3),
the variant that stops trials rather than pausing them: no trial ever waits for others.

Rung r lies at evaluation ``grace * reduction**r``. A trial that reaches it goes on if its score is among the best
1 in `reduction` of all that reached it so far; of the first few, only one as good as the best goes on.

Two things are added, so that what is compared is comparable:

- **Equal progress.** A trial whose first stage trains no classifier has no score at the early rungs. It is judged at
  its first score instead, among those that missed the same rungs: of them as many go on as of the others at all of
  these rungs together. So of equally good trials equally many survive, however late they begin. (Ranked together with
  the survivors of the rungs it missed, up to twice as many late trials would: they were chosen by early, noisy scores,
  and are not the best they could be.) One that belongs to the best of those survivors goes on in any case; and the
  first few of a kind, too few for a share, are ranked with the survivors nonetheless, of whom each keeps its place.
- **A floor.** Scores at or below that of always giving the same answer say that nothing was learnt yet, not how much:
  they count as equal, and so stop nobody while the better places are not taken.
"""

from __future__ import annotations

import bisect
import math


class Halving:
    """The scores at each evaluation, kept sorted: a verdict costs little however many trials there were."""

    def __init__(self, grace: int, reduction: int, floor: float = -math.inf) -> None:
        self.grace, self.reduction, self.floor = grace, reduction, floor
        self._scores: dict[tuple[int, int], list[float]] = {}  # by evaluation and rungs missed before it
        self._latest: dict[str, int] = {}  # by trial: its last evaluation with a score

    def stops(self, label: str, evaluation: int, score: float) -> bool:
        """Whether trial `label` is to stop now that it scored `score` at `evaluation`. Higher is better."""
        latest = self._latest.get(label, 0)
        if evaluation <= latest:  # told before
            return False
        self._latest[label] = evaluation
        missed, rung = standing(evaluation, latest, self.grace, self.reduction)
        judged = rung or missed > 0
        if math.isnan(score):
            return judged
        level = max(score, self.floor)
        scores = self._scores.setdefault((evaluation, missed), [])
        bisect.insort(scores, level)
        if not judged:
            return False
        survivors = self._scores.get((evaluation, 0), [])
        share = self.reduction ** (missed + rung)
        if missed and len(scores) < share:
            places = int(len(survivors) / self.reduction**rung + len(scores) / share)
            return level < sorted([*survivors, *scores])[-max(1, places)]
        best = len(survivors) // self.reduction**missed
        outdoes = missed > 0 and best > 0 and level > survivors[-best]
        return level < scores[-max(1, len(scores) // share)] and not outdoes


def standing(evaluation: int, latest: int, grace: int, reduction: int) -> tuple[int, bool]:
    """How many rungs a trial has missed whose last score before that at `evaluation` was at `latest` (0: never), and
    whether `evaluation` is one itself."""
    before = _rungs_before(evaluation, grace, reduction)
    return before - _rungs_before(latest + 1, grace, reduction), evaluation == grace * reduction**before


def _rungs_before(evaluation: int, grace: int, reduction: int) -> int:
    rung = 0
    while grace * reduction**rung < evaluation:
        rung += 1
    return rung
