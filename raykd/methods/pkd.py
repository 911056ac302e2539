"""Patient knowledge distillation (Sun, Cheng, Gan & Liu 2019, section 3).

loss = (1 - alpha) CE + alpha KD + beta PT (eq. 8). PT (eq. 7) compares the [CLS] vectors, each divided by its norm,
of the student's layers 1..m-1 with those of as many teacher layers; the last layer is left out, as its output is what
CE and KD see already. The teacher layer of student layer i, m student and n teacher layers:

* skip: ceil(i n / m), every k-th; the published 2, 4, 6, 8, 10 (12 to 6), 4, 8 (12 to 3), 4, 8, ..., 20 (24 to 6) and
  8, 16 (24 to 3) are instances of it;
* last: n - m + i, those before the last; 7, ..., 11 (12 to 6) and 10, 11 (12 to 3).

variant "code" (default; the paper's grid of beta fits its scale): KD = T^2 KL divided by the number of classes too,
PT = mean over samples, layers and elements.
variant "paper": the sums of eq. 4 and 7 divided by the batch: KD = cross-entropy with the soft targets, without T^2
(recalled), PT = sum over layers and elements of the squared difference, (m - 1) D times the mean.

Ours: a span's KD is divided by the rows alone, as its classes are positions, whose number grows with padding; a
regression takes mean squared errors for both CE and KD.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from raykd.errors import UserError, together
from raykd.losses import cls_patience, soft_cross_entropy
from raykd.methods.layers import check_alike, check_depth, uniform
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, needs
from raykd.methods.terms import hard_term, soft_term

Strategy = Literal["skip", "last"]
Reduction = Literal["batchmean", "elementmean"]


class PKDParameters(Parameters):
    """Weights of eq. 8 and which teacher layers are listened to."""

    variant: Literal["code", "paper"] = Field("code", description="means as published in code, or sums as printed")
    strategy: Strategy = Field("skip", description="teacher layers: every k-th, or the last ones")
    alpha: float = Field(0.5, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(5.0, gt=0, description="T of the soft term")
    beta: float = Field(100.0, ge=0, description="weight of patience: [CLS] vectors of the layers before the last")


def recipe(parameters: PKDParameters, pair: Pair) -> Recipe:
    """One stage of three terms. UserError for unequal widths, a deeper student, and a student of one layer."""
    together([lambda: check_alike(pair, width=bool(parameters.beta)), lambda: _check_layers(pair)])
    terms = (hard_term(1 - parameters.alpha, regression=pair.regression), _soft(parameters, pair))
    return Recipe(stages=(Stage(terms=(*terms, _patience(parameters, pair))),))


def teacher_layers(strategy: Strategy, pair: Pair) -> tuple[int, ...]:
    """Those of student layers 1..m-1."""
    if strategy == "skip":
        return uniform(pair)[:-1]
    n, m = pair.teacher.layers, pair.student.layers
    return tuple(range(n - m + 1, n))


def _check_layers(pair: Pair) -> None:
    check_depth(pair)
    if pair.student.layers < 2:
        raise UserError(
            f"layers: the student has {pair.student.layers}, and its last one is left out; "
            f"give a student of 2 to {pair.teacher.layers}"
        )


def _soft(p: PKDParameters, pair: Pair) -> Term:
    if p.variant == "code" or pair.regression:
        by: Reduction = "batchmean" if pair.answers == "span" else "elementmean"
        return soft_term(p.alpha, p.temperature, regression=pair.regression, reduction=by)

    def on_logits(step: Step) -> Tensor:
        return soft_cross_entropy(step.student.logits, step.teacher.logits, p.temperature)

    return Term("soft", p.alpha, on_logits, student=SEE_LOGITS, teacher=SEE_LOGITS)


def _patience(p: PKDParameters, pair: Pair) -> Term:
    at_s, at_t = tuple(range(1, pair.student.layers)), teacher_layers(p.strategy, pair)
    times = len(at_s) * pair.student.hidden if p.variant == "paper" else 1

    def on_cls(step: Step) -> Tensor:
        return times * cls_patience(step.student.cls(at_s), step.teacher.cls(at_t))

    return Term("patience", p.beta, on_cls, student=needs("cls", at_s), teacher=needs("cls", at_t))


METHOD = Method(
    name="pkd",
    title="patient knowledge distillation: [CLS] vectors of intermediate layers",
    paper="Sun, Cheng, Gan & Liu 2019, Patient Knowledge Distillation for BERT Model Compression",
    parameters=PKDParameters,
    recipe=recipe,
)
