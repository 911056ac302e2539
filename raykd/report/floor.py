"""What nobody needs a model for: always the same answer, and what that scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raykd.report import words
from raykd.tasks.metrics import majority, most_frequent
from raykd.tasks.predictions import Answered

DECIMALS = 12  # to which scores are told apart


@dataclass(frozen=True)
class Floor:
    """score: of always giving the same answer; answer: which one, for a person."""

    score: float
    answer: str

    def reached(self, score: float | None) -> bool:
        """Whether a score is no better than this one; one that is unknown or no number is not."""
        return not words.known(score) or round(score - self.score, DECIMALS) <= 0


def floor_of(task: Answered, labels: np.ndarray) -> Floor:
    """The floor of a split.

    Args:
        task: What is answered, and the metric that counts.
        labels: [N] classes as indices, or numbers; for spans 0 where the context does not answer the question, else 1.
            N > 0.

    Returns:
        The score of always saying the most frequent class; 0 for numbers, as one number correlates with nothing; for
        spans the share of questions without an answer.
    """
    answer = "never answering" if task.kind == "span" else "always saying the same number"
    if task.kind == "classes":
        answer = f"always saying '{words.clipped(task.labels[most_frequent(labels)], 60)}'"
    return Floor(majority(task, labels), answer)
