"""Terms that many recipes share: the hard loss on labels and the soft loss on the teacher's logits."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from raykd.losses import hard_cross_entropy, kl_divergence, logits_mse, regression_mse
from raykd.methods.recipe import Step, Term
from raykd.methods.seen import LOGITS


def hard_term(weight: float, *, regression: bool) -> Term:
    """Cross-entropy with the gold labels; mean squared error for a regression."""
    loss = regression_mse if regression else hard_cross_entropy

    def on_labels(step: Step) -> Tensor:
        return loss(step.student.logits, step.labels)

    return Term("hard", weight, on_labels, student=frozenset({LOGITS}))


def soft_term(
    weight: float, temperature: float, *, regression: bool, reduction: Literal["batchmean", "elementmean"] = "batchmean"
) -> Term:
    """T^2 KL(teacher || student) at `temperature`, batch mean; mean squared error of the outputs for a regression.

    reduction "elementmean" divides by the number of classes too, as PKD's and TAKD's code does. A real-valued output
    has no distribution to soften, so the temperature has no part in the regression form.
    """

    def on_logits(step: Step) -> Tensor:
        if regression:
            return logits_mse(step.student.logits, step.teacher.logits)
        return kl_divergence(step.student.logits, step.teacher.logits, temperature, reduction=reduction)

    return Term("soft", weight, on_logits, student=frozenset({LOGITS}), teacher=frozenset({LOGITS}))
