"""From logits of every token to the best answer of every question, and its scores.

The score of a span is the sum of its start's and its end's logit. Every span of up to 30 tokens of the context is
looked at, in all windows of a question; that finds what the usual search of the 20 best starts and ends approximates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from raykd.tasks import answers
from raykd.tasks.questions import Questions
from raykd.tasks.task import NO_ANSWER

LONGEST = 30  # tokens of an answer
NULL_THRESHOLD = 0.0  # the empty answer is given where its score exceeds the best span's by more than this


class Scored(Protocol):
    """The part of a task that scores depend on."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to compute."""


@dataclass(frozen=True)
class Found:
    """An answer, "" for none, and its probability: that of its start times that of its end within its window."""

    text: str
    probability: float


def find(task: Scored, logits: np.ndarray, questions: Questions) -> list[Found]:
    """The answer to each question. logits: [N, W, 2] of its windows' tokens, as start and as end.

    Only a task that scores unanswerable questions may answer nothing: where the logits of the first token, which stands
    for no answer, are larger in every window than those of the best span.
    Raises ValueError for logits that are not finite (a diverged model has no answers).
    """
    if logits.shape != questions.chars.shape:
        raise ValueError(f"logits {logits.shape} for windows {questions.chars.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("logits are not finite")
    starts, ends, scores = best_spans(logits, questions.chars)
    windows = np.lexsort((-scores, questions.rows))[questions.first]  # the best of each question
    starts, ends, scores = starts[windows], ends[windows], scores[windows]
    empty = scores == -np.inf  # a context without tokens
    if NO_ANSWER in task.metrics:
        nothing = logits[:, 0].sum(axis=1)
        where = np.lexsort((nothing, questions.rows))[questions.first]
        empty |= nothing[where] - scores > NULL_THRESHOLD
        windows = np.where(empty, where, windows)
    starts, ends = np.where(empty, 0, starts), np.where(empty, 0, ends)
    chances = _chances(logits[windows], questions.lengths[windows], starts, ends)
    texts = ["" if no else questions.text(*at) for no, *at in zip(empty, windows, starts, ends, strict=True)]
    return [Found(text, float(chance)) for text, chance in zip(texts, chances, strict=True)]


def best_spans(logits: np.ndarray, chars: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First token, last token and score [N] of the best span of up to 30 context tokens in each window.

    logits and chars: [N, W, 2]. The score is -inf where a window holds no token of the context.
    """
    inside = chars[..., 1] >= 0
    start, end = (np.where(inside, logits[..., side], -np.inf) for side in (0, 1))
    every = np.arange(len(logits))
    best = np.full(len(logits), -np.inf)
    first, last = np.zeros_like(every), np.zeros_like(every)
    for further in range(min(LONGEST, logits.shape[1])):
        sums = start[:, : logits.shape[1] - further] + end[:, further:]
        at = sums.argmax(axis=1)
        better = sums[every, at] > best
        best = np.where(better, sums[every, at], best)
        first, last = np.where(better, at, first), np.where(better, at + further, last)
    return first, last, best


def score(task: Scored, found: list[Found], questions: Questions) -> dict[str, float]:
    """Every metric of the task, 0 to 1, means over the questions."""
    pairs = [(one.text, right) for one, right in zip(found, questions.answers, strict=True)]
    return {name: float(np.mean([METRICS[name](*pair) for pair in pairs])) for name in task.metrics}


def _chances(logits: np.ndarray, lengths: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """[Q] softmax over the window's tokens, of start times end. logits: [Q, W, 2]."""
    real = (np.arange(logits.shape[1]) < lengths[:, None])[..., None]
    shifted = np.where(real, logits.astype(np.float64), -np.inf)
    shares = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    every = np.arange(len(logits))
    return shares[every, starts, 0] * shares[every, ends, 1]


METRICS: dict[str, Callable[[str, list[str]], float]] = {
    "f1": answers.f1,
    "exact_match": answers.exact_match,
    NO_ANSWER: lambda text, right: float(bool(text) == bool(right)),
}
