"""Similarities of the samples of a batch: CC, SP and PKT, as RepDistiller trains them.

loss = (1 - alpha) CE + alpha T^2 KL + weight * relation, of one vector a sample, s of the student and t of the teacher:

* cc, correlation congruence (Peng et al. 2019; 0.02): mean over neighbours b, b+1 in the batch of |s_b - t_b| .
  |s_(b+1) - t_(b+1)|. This is what RepDistiller codes; the paper compares kernel matrices. The vectors meet
  element by element, so where the widths differ a bias-free map, trained beside the student, takes s to t's.
  RepDistiller maps both sides to 128, trained without anything that keeps the two maps from 0;
* sp, similarity preserving (Tung & Mori 2019; 3000): the Gram matrices [B, B] with rows of norm 1, mean squared
  difference (eq. 2 to 4). The paper compares maps of an inner layer;
* pkt, probabilistic knowledge transfer (Passalis & Tefas 2018; 30000): the divergence of the distributions over
  samples that cosines make (eq. 5 to 8).

What is left open, and what stands beside the relation, is in `relational`.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from raykd.losses.samples import cc, pkt, sp
from raykd.methods.method import Method, Pair
from raykd.methods.recipe import Recipe, Scene, Stage, Step
from raykd.methods.relational import RelationalParameters, relation_term, task_terms


class CCParameters(RelationalParameters):
    """Correlation congruence."""

    cc: float = Field(0.02, ge=0, description="weight of the correlation congruence")


class SPParameters(RelationalParameters):
    """Similarity preserving."""

    sp: float = Field(3000.0, ge=0, description="weight of the similarities between samples")


class PKTParameters(RelationalParameters):
    """Probabilistic knowledge transfer."""

    pkt: float = Field(30000.0, ge=0, description="weight of the distributions over samples")


def congruence(parameters: CCParameters, pair: Pair) -> Recipe:
    """One stage of three terms, and a map where the widths differ."""
    unequal = pair.student.hidden != pair.teacher.hidden

    def on_vectors(step: Step, student: Tensor, teacher: Tensor) -> Tensor:
        return cc(step.extras["projection"](student) if unequal else student, teacher)

    def linear(scene: Scene) -> nn.Module:
        return nn.Linear(scene.pair.student.hidden, scene.pair.teacher.hidden, bias=False)

    relation = relation_term("cc", parameters.cc, on_vectors, parameters.feature, pair)
    stage = Stage(terms=(*task_terms(parameters, pair), relation))
    return Recipe(stages=(stage,), extras={"projection": linear} if unequal and parameters.cc else {})


def similarities(parameters: SPParameters, pair: Pair) -> Recipe:
    """One stage of three terms."""
    relation = relation_term("sp", parameters.sp, lambda _, s, t: sp(s, t), parameters.feature, pair)
    return Recipe(stages=(Stage(terms=(*task_terms(parameters, pair), relation)),))


def probabilities(parameters: PKTParameters, pair: Pair) -> Recipe:
    """One stage of three terms."""
    relation = relation_term("pkt", parameters.pkt, lambda _, s, t: pkt(s, t), parameters.feature, pair)
    return Recipe(stages=(Stage(terms=(*task_terms(parameters, pair), relation)),))


METHODS = (
    Method(
        name="cc",
        title="correlation congruence of the samples of a batch",
        paper="Peng et al. 2019, Correlation Congruence for Knowledge Distillation",
        parameters=CCParameters,
        recipe=congruence,
    ),
    Method(
        name="sp",
        title="similarity-preserving distillation of the samples of a batch",
        paper="Tung & Mori 2019, Similarity-Preserving Knowledge Distillation",
        parameters=SPParameters,
        recipe=similarities,
    ),
    Method(
        name="pkt",
        title="probabilistic knowledge transfer: the distribution over samples that cosines make",
        paper="Passalis & Tefas 2018, Learning Deep Representations with Probabilistic Knowledge Transfer",
        parameters=PKTParameters,
        recipe=probabilities,
    ),
)
