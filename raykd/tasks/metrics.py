"""Scores on the dev set, by scikit-learn and scipy, that never become NaN or a warning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import stats
from sklearn import metrics as sk

from raykd.tasks.task import NO_ANSWER

Labels = Sequence[int | float] | np.ndarray

# Between which values each metric lies, those of spans included.
RANGES = {
    **dict.fromkeys(("accuracy", "f1", "f1_macro", "exact_match", NO_ANSWER), (0.0, 1.0)),
    **dict.fromkeys(("matthews", "pearson", "spearman"), (-1.0, 1.0)),
}


class Scored(Protocol):
    """The part of a task that scores depend on."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; () for a real number or a span."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to compute."""

    @property
    def primary(self) -> str:
        """The one that selects."""

    @property
    def regression(self) -> bool:
        """True when the label is a real number."""


def score(task: Scored, logits: np.ndarray, labels: Labels) -> dict[str, float]:
    """Every metric of the task.

    logits: [N, C] for C classes, [N, 1] or [N] for a real number. labels: [N].
    Correlations and Matthews' coefficient are 0.0 where predictions or labels are constant, and so undefined.
    Raises ValueError for no rows, differing lengths, or logits that are not finite (a diverged model has no score).
    """
    given = np.asarray(logits, dtype=np.float64)
    truth = np.asarray(labels)
    if len(given) != len(truth) or not len(truth):
        raise ValueError(f"{len(given)} predictions for {len(truth)} labels")
    if not np.isfinite(given).all():
        raise ValueError("logits are not finite")
    predicted = given.reshape(len(truth)) if task.regression else given.argmax(axis=1)
    return {name: _METRICS[name](truth, predicted) for name in task.metrics}


def majority(task: Scored, labels: Labels, train: Labels | None = None) -> float:
    """The primary metric, on `labels`, of always predicting the most frequent class of `train` (of `labels` itself
    if there is no train). 0.0 for a real number: predicting the mean correlates with nothing. For spans, of answering
    nothing: the share of questions without an answer (label 0)."""
    if task.regression:
        return 0.0
    if not task.labels:
        return float(np.mean(np.asarray(labels) == 0))
    most = most_frequent(labels if train is None else train)
    return score(task, np.eye(len(task.labels))[np.full(len(labels), most)], labels)[task.primary]


def most_frequent(labels: Labels) -> int:
    """The class that most rows have.

    Args:
        labels: [N] classes as indices, N > 0.

    Returns:
        Its index; the lowest of equals.
    """
    counts = Counter(int(label) for label in labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(sk.accuracy_score(truth, predicted))


def _f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(sk.f1_score(truth, predicted, pos_label=1, average="binary", zero_division=0.0))


def _f1_macro(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(sk.f1_score(truth, predicted, average="macro", zero_division=0.0))


def _matthews(truth: np.ndarray, predicted: np.ndarray) -> float:
    return 0.0 if _constant(truth) or _constant(predicted) else float(sk.matthews_corrcoef(truth, predicted))


def _pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    return 0.0 if _constant(truth) or _constant(predicted) else float(stats.pearsonr(truth, predicted).statistic)


def _spearman(truth: np.ndarray, predicted: np.ndarray) -> float:
    return 0.0 if _constant(truth) or _constant(predicted) else float(stats.spearmanr(truth, predicted).statistic)


def _constant(values: np.ndarray) -> bool:
    """Also true for a spread that is only rounding: scipy warns of those."""
    return bool(np.ptp(values) <= 1e-10 * max(1.0, float(np.abs(values).max())))


_METRICS = {
    "accuracy": _accuracy,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
}
