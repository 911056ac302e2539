"""Annealing-KD: the student follows a teacher that sharpens in steps, then learns from labels (Jafari et al. 2021).

Phase 1: loss = mean (z_s - c z_t)^2 over samples and classes, with c = Phi(tau) = 1 - (tau - 1) / tau_max and tau going
from tau_max down to 1 in tau_max equal parts of the phase. No label is used.
Phase 2: cross-entropy alone, from the student of phase 1's best evaluation, with a fresh optimiser and learning rate.

The published 14 + 6 epochs are phase = 0.7 of 20. Where tau_max does not divide phase 1's epochs the code lets c pass
1; here the parts are shared out evenly, so c ends at 1. The code also trains on without dropout after its first
evaluation, and compares [B, 1] with [B] in a regression: neither is repeated. A regression takes mean squared errors
in both phases. No spans: their logits at padded positions would be scaled, too.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from raykd.losses.annealing import annealed_mse, annealed_scale
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS
from raykd.methods.terms import hard_term


class AnnealingParameters(Parameters):
    """The steps of annealing and how long they take."""

    tau_max: int = Field(7, ge=1, description="temperatures of phase 1; c = 1 / tau_max, 2 / tau_max, ..., 1")
    phase: float = Field(0.7, gt=0, lt=1, description="phase 1's part of the run; 14 of 20 epochs are 0.7")


def recipe(parameters: AnnealingParameters, pair: Pair) -> Recipe:
    """Two stages of one term each; the first trains no classifier in earnest, so it is no rung of a sweep."""

    def follow(step: Step) -> Tensor:
        # The phase's last step may lie a rounding error beyond its end.
        scale = annealed_scale(min(1.0, step.progress / parameters.phase), parameters.tau_max)
        return annealed_mse(step.student.logits, step.teacher.logits, scale)

    annealed = Term("annealed", 1.0, follow, student=SEE_LOGITS, teacher=SEE_LOGITS)
    return Recipe(
        stages=(
            Stage((annealed,), until=parameters.phase, name="annealing", scored=False),
            Stage((hard_term(1.0, regression=pair.regression),), name="labels", anew=True, from_best=True),
        )
    )


METHOD = Method(
    name="annealing_kd",
    title="annealing distillation: logits of a teacher that sharpens in steps, then labels",
    paper="Jafari, Rezagholizadeh, Sharma & Ghodsi 2021, Annealing Knowledge Distillation",
    parameters=AnnealingParameters,
    recipe=recipe,
    answers=frozenset({"classes", "number"}),
)
