"""ALP-KD: each student layer learns from an attention-weighted mean of teacher layers (Passban et al. 2021).

loss = beta CE + eta KD + lambda ALP. For student layer j with the teacher layers A(j):
alpha_jk = softmax over k in A(j) of h_S^j . h_T^k, C^j = sum_k alpha_jk h_T^k, and ALP is the mean over samples,
student layers and features of (h_S^j - C^j)^2; the gradient flows through alpha. kind says what A(j) is:

* all (ALP): every teacher layer;
* no (ALP-NO): the j-th of m consecutive blocks of n / m layers;
* po (ALP-PO): that block and one layer more on either side, where there is one.

Ours: h is the [CLS] vector (the paper does not say which); a student of another width is projected to the teacher's by
one map, which all its layers share; KD is T^2 KL, batch mean; a regression takes mean squared errors for CE and KD.
The embedding outputs have no part.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from raykd.errors import UserError, together
from raykd.losses.attentive_layers import Buckets, alp, buckets
from raykd.methods.checks import check_weighs
from raykd.methods.layers import student_layers
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import needs
from raykd.methods.terms import hard_term, soft_term


class ALPKDParameters(Parameters):
    """The three weights, and which teacher layers a student layer attends to."""

    kind: Buckets = Field("all", description="teacher layers of a student layer: all, its block, its block widened")
    beta: float = Field(1.0, ge=0, description="weight of the hard term")
    eta: float = Field(1.0, ge=0, description="weight of the soft term")
    lambda_alp: float = Field(1.0, ge=0, description="weight of the layer projection")
    temperature: float = Field(5.0, gt=0, description="T of the soft term")


def recipe(parameters: ALPKDParameters, pair: Pair) -> Recipe:
    """One stage of three terms. UserError where blocks are wanted of layers that do not share out evenly."""
    p = parameters
    together([lambda: check_weighs(beta=p.beta, eta=p.eta), lambda: _check_blocks(p, pair)])
    terms = (
        hard_term(p.beta, regression=pair.regression),
        soft_term(p.eta, p.temperature, regression=pair.regression),
        _layers(p, pair),
    )
    extras = {"projection": lambda scene: nn.Linear(scene.pair.student.hidden, scene.pair.teacher.hidden, bias=False)}
    return Recipe(stages=(Stage(terms=terms),), extras={} if pair.student.hidden == pair.teacher.hidden else extras)


def _check_blocks(p: ALPKDParameters, pair: Pair) -> None:
    n, m = pair.teacher.layers, pair.student.layers
    if p.kind != "all" and n % m:
        depths = ", ".join(str(depth) for depth in range(1, n + 1) if n % depth == 0)
        raise UserError(
            f"kind '{p.kind}': {n} teacher layers cannot be shared out among {m} student layers; "
            f"give a student of {depths} layers, or kind 'all'"
        )


def _layers(p: ALPKDParameters, pair: Pair) -> Term:
    at_s, at_t = student_layers(pair), tuple(range(1, pair.teacher.layers + 1))
    allowed = buckets(len(at_s), len(at_t), p.kind)

    def on_cls(step: Step) -> Tensor:
        student = step.student.cls(at_s)
        if "projection" in step.extras:
            student = step.extras["projection"](student)
        return alp(student, step.teacher.cls(at_t), allowed)

    return Term("alp", p.lambda_alp, on_cls, student=needs("cls", at_s), teacher=needs("cls", at_t))


METHOD = Method(
    name="alp_kd",
    title="attention-based layer projection: each layer learns from a weighted mean of teacher layers",
    paper="Passban, Wu, Rezagholizadeh & Liu 2021, ALP-KD: Attention-Based Layer Projection for Knowledge Distillation",
    parameters=ALPKDParameters,
    recipe=recipe,
)
