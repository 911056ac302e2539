"""Finalists that differ: two configurations that answer alike are one configuration, run twice.

The best of a search are often neighbours (a temperature of 3 and of 5), and all of a search's trials have one seed:
such neighbours share its luck, and where fresh seeds refute the one they refute the other. The same goes for one that
answers as a baseline does, which runs in the finals anyway. Measured on SST-2 (by tests.benchmarks.noise): students
apart in temperature alone disagreed on 0.5% of dev, far lambdas on 11 to 23%.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

WIDTH = 8  # candidates for each place
ALIKE = 0.25  # of the middling disagreement among the candidates: neighbours, not relatives


def different_first(
    ranked: Sequence[str],
    answers: Callable[[str], np.ndarray | None],
    baselines: Callable[[str], Sequence[str]] = lambda label: (),
) -> list[str]:
    """The trials of a search in the order in which they are to be confirmed: those that differ from each better one of
    these and from the baselines, then the others.

    Two are alike if they disagree on fewer than a quarter as many examples as two trials do in the middle.

    Args:
        ranked: Labels of trials, the best first.
        answers: Of a trial or a baseline, what it answered [N] on the same examples; None if that is unknown, then it
            is like nobody.
        baselines: Of a trial, the runs that stand for the baselines it is compared with.

    Returns:
        All of `ranked`, in either part the best first.
    """
    given = {label: found for label in ranked if (found := answers(label)) is not None}
    gaps = {frozenset(pair): _gap(given[pair[0]], given[pair[1]]) for pair in combinations(given, 2)}
    least = ALIKE * float(np.median([*gaps.values()])) if gaps else 0.0
    plain = {label: answers(label) for label in dict.fromkeys(name for one in ranked for name in baselines(one))}
    different: list[str] = []
    for label in ranked:
        apart = all(gaps.get(frozenset((label, other)), 1.0) >= least for other in different)
        own = given.get(label)
        beside = [plain[name] for name in baselines(label)]
        if apart and (own is None or all(other is None or _gap(own, other) >= least for other in beside)):
            different.append(label)
    return [*different, *(label for label in ranked if label not in different)]


def _gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The share of examples on which they disagree."""
    return float(np.mean(ours != theirs))
