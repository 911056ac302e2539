"""One-sided tests of two models on the same examples: is the one that looks worse worse by more than luck?"""

from __future__ import annotations

import numpy as np
from scipy import stats

AT_ONCE = 2**20  # numbers held of a bootstrap
NORMAL = 5000  # examples from which on a bootstrap's limit is computed instead of its draws


def paired_bootstrap(better: np.ndarray, worse: np.ndarray, rounds: int = 2000, seed: int = 0) -> float:
    """One-sided p, from 1 / (rounds + 1) to 1, that `worse` is not worse in the mean: how often, with examples drawn
    anew with replacement (Efron and Tibshirani 1993, chapter 16), it is at least as good; 1 if all are equal. Of more
    than 5000 examples it is computed from the normal distribution that this tends to. better, worse: [N].

    Too bold where few examples differ: with 3, all for `better`, it says 0.05, and a coin says 0.125.
    Raises ValueError if the lengths differ.
    """
    gaps = differences(better, worse)
    if len(gaps) > NORMAL and gaps.std() > 0:  # the mean of so many draws is normal to within what 2000 rounds tell
        return float(stats.norm.sf(gaps.mean() / (gaps.std() / len(gaps) ** 0.5)))
    chance = np.random.default_rng(seed)
    not_worse = 0
    step = max(1, AT_ONCE // len(gaps))
    for start in range(0, rounds, step):
        drawn = chance.integers(len(gaps), size=(min(step, rounds - start), len(gaps)))
        not_worse += int(np.count_nonzero(gaps[drawn].sum(axis=1) <= 0))
    return (1 + not_worse) / (1 + rounds)


def wilcoxon(better: np.ndarray, worse: np.ndarray) -> float:
    """One-sided p that `worse` is not worse, by Wilcoxon's (1945) signed ranks; equal examples do not count, and where
    all are equal it is 1. better, worse: [N].

    Where all differences are of one size, as of right and wrong, the ranks are all tied and the test is that of signs,
    which is then computed exactly: the normal approximation is too bold where few differ.
    Raises ValueError if the lengths differ, or are 0.
    """
    gaps = differences(better, worse)
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 1.0
    sizes = np.abs(gaps)
    if sizes.min() == sizes.max():
        return float(stats.binom.sf(np.count_nonzero(gaps > 0) - 1, len(gaps), 0.5))
    return float(stats.wilcoxon(gaps, alternative="greater").pvalue)


def differences(better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """What one model is ahead on each example.

    Args:
        better: [N] how good its answers are.
        worse: [N] how good those of the other are.

    Returns:
        [N] float64.

    Raises:
        ValueError: The lengths differ, or are 0.
    """
    if better.shape != worse.shape or better.ndim != 1 or not len(better):
        raise ValueError(f"examples of shapes {better.shape} and {worse.shape} do not pair")
    return better.astype(np.float64) - worse
