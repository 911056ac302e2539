"""Finalists that differ: two configurations that answer alike are one configuration, run twice.

The best of a search are often neighbours (a temperature of 3 and of 5), and all of a search's trials have one seed:
such neighbours share its luck, and where fresh seeds refute the one they refute the other. Measured on SST-2 (by
tests.benchmarks.noise): students apart in temperature alone disagreed on 0.5% of dev, far lambdas on 11 to 23%.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

WIDTH = 8  # candidates for each place
ALIKE = 0.25  # of the middling disagreement among the candidates: neighbours, not relatives


def apart(ranked: Sequence[str], answers: Callable[[str], np.ndarray | None], many: int) -> list[str]:
    """The first `many` of `ranked`, the best first, without those that answer much as a better one does.

    answers: of a trial, what it answered [N] on the same examples; None if that is unknown, then it is like nobody. Two
    are alike if they disagree on fewer than a quarter as many examples as two candidates do in the middle. If too few
    differ the best of the others are taken too.
    """
    candidates = list(ranked[: WIDTH * many])
    if many < 2 or len(candidates) <= many:
        return candidates[:many]
    given = {label: found for label in candidates if (found := answers(label)) is not None}
    gaps = {frozenset(pair): float(np.mean(given[pair[0]] != given[pair[1]])) for pair in combinations(given, 2)}
    least = ALIKE * float(np.median([*gaps.values()])) if gaps else 0.0
    chosen: list[str] = []
    for label in candidates:
        if all(gaps.get(frozenset((label, other)), 1.0) >= least for other in chosen):
            chosen.append(label)
    others = [label for label in candidates if label not in chosen]
    return sorted([*chosen, *others][:many], key=candidates.index)
