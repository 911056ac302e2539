"""Recipes made up for tests of the loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, hidden
from raykd.methods.terms import hard_term, soft_term


def two_stages(until: float = 0.5) -> Recipe:
    """First the last hidden state through a trainable projection, then labels and the teacher's logits."""

    def imitate(step: Step) -> Tensor:
        projected = step.extras["project"](step.student.hidden((2,)))
        return (projected - step.teacher.hidden((4,))).square().mean()

    first = Term("imitate", 1.0, imitate, student=hidden((2,)), teacher=hidden((4,)))
    second = (hard_term(0.5, regression=False), soft_term(0.5, 2.0, regression=False))
    return Recipe(
        stages=(
            Stage(terms=(first,), until=until, name="imitate", scored=False),
            Stage(terms=second, name="answer"),
        ),
        extras={"project": lambda scene: transposed()},
    )


def transposed() -> nn.Module:
    """A linear map whose weight is not contiguous in memory."""
    linear = nn.Linear(32, 32)
    linear.weight = nn.Parameter(linear.weight.detach().t())
    return linear


class Goes:
    """A hard loss that is `bad` from its step `at` on, and remembers how often it was asked."""

    def __init__(self, bad: float, at: int) -> None:
        self.bad, self.at, self.asked = bad, at, 0

    def __call__(self, step: Step) -> Tensor:
        self.asked += 1
        loss = torch.nn.functional.cross_entropy(step.student.logits, step.labels)
        return loss * self.bad if self.asked >= self.at else loss

    def recipe(self) -> Recipe:
        return Recipe(stages=(Stage(terms=(Term("hard", 1.0, self, student=SEE_LOGITS),)),))
