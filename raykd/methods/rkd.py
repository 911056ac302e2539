"""Relational knowledge distillation (Park, Kim, Lu & Cho 2019, section 3).

loss = (1 - alpha) CE + alpha T^2 KL + distance L_D + angle L_A, of one vector a sample:

* L_D: smooth-L1 of the difference of pairwise Euclidean distances, divided by their mean on either side (eq. 5 and 6),
  mean over the B^2 pairs of a batch;
* L_A: smooth-L1 of the difference of cosines of the angle at one sample between two others (eq. 7 to 9), mean over the
  B^3 triples.

Distances and angles need no equal widths. Weights: 25 and 50 are RepDistiller's, for classification; the paper's
metric learning takes 1 and 2 without a task term. What is left open, and what stands beside the relation, is in
`relational`.
"""

from __future__ import annotations

from pydantic import Field

from raykd.losses.rkd import rkd_angle, rkd_distance
from raykd.methods.method import Method, Pair
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.relational import RelationalParameters, relation_term, task_terms


class RKDParameters(RelationalParameters):
    """The paper's lambda_D and lambda_A."""

    distance: float = Field(25.0, ge=0, description="weight of the distances between samples")
    angle: float = Field(50.0, ge=0, description="weight of the angles between samples")


def recipe(parameters: RKDParameters, pair: Pair) -> Recipe:
    """One stage of four terms."""
    p = parameters
    terms = (
        *task_terms(p, pair),
        relation_term(
            "distance", p.distance, lambda _, student, teacher: rkd_distance(student, teacher), p.feature, pair
        ),
        relation_term("angle", p.angle, lambda _, student, teacher: rkd_angle(student, teacher), p.feature, pair),
    )
    return Recipe(stages=(Stage(terms=terms),))


METHOD = Method(
    name="rkd",
    title="relational distillation: distances and angles between the samples of a batch",
    paper="Park, Kim, Lu & Cho 2019, Relational Knowledge Distillation",
    parameters=RKDParameters,
    recipe=recipe,
)
