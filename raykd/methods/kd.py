"""Knowledge distillation of logits (Hinton, Vinyals & Dean 2015, section 2).

loss = (1 - alpha) CE(student, labels) + alpha T^2 KL(softmax(teacher / T) || softmax(student / T)), batch mean.
alpha weighs the soft term, as in the paper's later readings (PKD, CKD); the T^2 keeps the two gradients on one scale.
A regression takes mean squared errors for both and ignores T.
"""

from __future__ import annotations

from pydantic import Field

from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.terms import hard_term, soft_term


class KDParameters(Parameters):
    """Weight and temperature of the soft term."""

    alpha: float = Field(0.9, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(2.0, gt=0, description="T, softens both distributions")


def recipe(parameters: KDParameters, pair: Pair) -> Recipe:
    """One stage of two terms."""
    terms = (
        hard_term(1 - parameters.alpha, regression=pair.regression),
        soft_term(parameters.alpha, parameters.temperature, regression=pair.regression),
    )
    return Recipe(stages=(Stage(terms=terms),))


METHOD = Method(
    name="kd",
    title="knowledge distillation of logits",
    paper="Hinton, Vinyals & Dean 2015, Distilling the Knowledge in a Neural Network, section 2",
    parameters=KDParameters,
    recipe=recipe,
)
