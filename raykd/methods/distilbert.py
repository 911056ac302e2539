"""The triple loss of DistilBERT on a task (Sanh, Debut, Chaumond & Wolf 2019, section 2).

loss = alpha_ce T^2 KL(teacher || student) + alpha_hard CE(labels) + alpha_cos (1 - cos), with 5, 2, 1 and T = 2 as in
the published training. The cosine is that of the two networks' last hidden states, mean over attended tokens; their
widths must be equal.

DistilBERT itself was made by *general* distillation: there logits are over the vocabulary at each token, and masked
language modelling on unlabelled text stands where the labels stand here. That is this method's general stage
(raykd.methods.distilbert_general). On a task it is the same sum; the paper distils once more on a task, too, by the two
terms on logits (section 3, SQuAD). A student cut from its teacher at every other layer is what the paper starts from.

Ours: mean squared errors of the outputs for a regression.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from raykd.errors import together
from raykd.losses.hidden import cosine_loss
from raykd.methods.checks import check_weighs
from raykd.methods.distilbert_general import DistilBERTGeneralParameters, general
from raykd.methods.layers import check_alike
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import needs
from raykd.methods.terms import hard_term, soft_term


class DistilBERTParameters(Parameters):
    """The three weights, named as in the published code; alpha_hard is its alpha_mlm."""

    temperature: float = Field(2.0, gt=0, description="T of the soft term")
    alpha_ce: float = Field(5.0, ge=0, description="weight of the soft term")
    alpha_hard: float = Field(2.0, ge=0, description="weight of the hard term, where masked language modelling stood")
    alpha_cos: float = Field(1.0, ge=0, description="weight of the cosine of the last hidden states")


def recipe(parameters: DistilBERTParameters, pair: Pair) -> Recipe:
    """One stage of three terms. UserError for unequal widths, and where every weight is 0."""
    p = parameters
    together(
        [
            lambda: check_weighs(alpha_ce=p.alpha_ce, alpha_hard=p.alpha_hard),
            lambda: check_alike(pair, width=bool(p.alpha_cos)),
        ]
    )
    last_s, last_t = pair.student.layers, pair.teacher.layers

    def cosine(step: Step) -> Tensor:
        student, teacher = step.student.of("hidden", last_s), step.teacher.of("hidden", last_t)
        return cosine_loss(student, teacher, step.attention_mask)

    terms = (
        soft_term(p.alpha_ce, p.temperature, regression=pair.regression),
        hard_term(p.alpha_hard, regression=pair.regression),
        Term("cosine", p.alpha_cos, cosine, student=needs("hidden", (last_s,)), teacher=needs("hidden", (last_t,))),
    )
    return Recipe(stages=(Stage(terms=terms),))


METHOD = Method(
    name="distilbert",
    title="DistilBERT's triple loss: logits, labels (masked words in the general stage), cosine of last hidden states",
    paper="Sanh, Debut, Chaumond & Wolf 2019, DistilBERT, a distilled version of BERT, section 2",
    parameters=DistilBERTParameters,
    recipe=recipe,
    general=general,
    general_parameters=DistilBERTGeneralParameters,
)
