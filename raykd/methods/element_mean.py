"""The objective that TAKD's and teacher-free KD's published code share.

loss = (1 - weight) CE(student, labels) + weight multiplier T^2 KL(softmax(teacher / T) || softmax(student / T)), the KL
a mean over samples and classes (B C), C times smaller than the usual batch mean.

Ours: a span's KL is divided by the rows alone, as its classes are positions, whose number grows with padding; a
regression takes mean squared errors for both.
"""

from __future__ import annotations

from typing import Literal

from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.terms import hard_term, soft_term

Reduction = Literal["batchmean", "elementmean"]


def element_mean(pair: Pair, weight: float, temperature: float, multiplier: float = 1.0) -> Recipe:
    """One stage of two terms; `weight` (0 to 1) is the soft term's."""
    by: Reduction = "batchmean" if pair.answers == "span" else "elementmean"
    terms = (
        hard_term(1 - weight, regression=pair.regression),
        soft_term(weight * multiplier, temperature, regression=pair.regression, reduction=by),
    )
    return Recipe(stages=(Stage(terms=terms),))
