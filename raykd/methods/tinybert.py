"""TinyBERT's distillation on a task (Jiao et al. 2020, sections 3.1 and 3.2): layers first, then predictions.

Stage "intermediate", for the fraction `intermediate` of the run (10 of 13 epochs). Student layer i = 1..m learns from
teacher layer g(i) = ceil(i n / m), the embedding output from the embedding output:

    embedding MSE(E_s W_e, E_t)                    (eq. 9)
    + hidden  sum_i MSE(H_s^i W_h, H_t^g(i))       (eq. 8)
    + attention sum_i MSE(A_s^i, A_t^g(i))         (eq. 7; A: raw scores, mean over heads)

W_e and W_h map the student's width to the teacher's and train beside it. The classifier learns nothing here, so the
stage is not scored. Stage "prediction" (eq. 10), with optimiser and learning rate schedule anew: cross-entropy with
softmax(teacher / T), divided by the number of classes too as in the code; for a regression, as in the code, the mean
squared error with the gold labels.

variant "paper": W_e and W_h are two maps without a bias, as printed. Padding does not count (ours: the paper does not
speak of it, and the loss should not depend on how far a batch happens to be padded).
variant "code": one map with a bias serves embeddings and layers; padded positions count as in the published code,
padded keys with the score 0.

Ours: a span's cross-entropy is divided by the rows alone, as its classes are positions, whose number grows with
padding; one learning rate for both stages (code: 5e-5 constant, then 3e-5); regression_target "teacher", for augmented
rows that have no label; the teacher answers without dropout (in the published code it is on).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from raykd.errors import together
from raykd.losses import attention_mse, hidden_mse, soft_cross_entropy
from raykd.methods.checks import check_weighs
from raykd.methods.layers import check_alike, check_depth, student_layers, uniform
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Scene, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, Need, hidden, needs, padded
from raykd.methods.terms import hard_term, soft_term

# What the published code adds to the scores of padded keys; its loss, and ours, then takes them as 0.
MASKED = -1e4


class TinyBERTParameters(Parameters):
    """The paper's lambda is 1 for every layer."""

    variant: Literal["paper", "code"] = Field("paper", description="maps and padding as printed, or as in the code")
    intermediate: float = Field(10 / 13, gt=0, lt=1, description="fraction of the run that the first stage takes")
    embedding: float = Field(1.0, ge=0, description="weight of the embedding output")
    hidden: float = Field(1.0, ge=0, description="weight of the hidden states, summed over layers")
    attention: float = Field(1.0, ge=0, description="weight of the attention scores, summed over layers")
    temperature: float = Field(1.0, gt=0, description="T of the predictions, the paper's t; no part in a regression")
    regression_target: Literal["labels", "teacher"] = Field(
        "labels", description="what a regression's predictions learn: gold labels (code), or the teacher's outputs"
    )


def recipe(parameters: TinyBERTParameters, pair: Pair) -> Recipe:
    """Two stages. UserError for a deeper student, unequal heads where scores count, and a first stage of no weight."""
    p = parameters
    together(
        [
            lambda: check_weighs(embedding=p.embedding, hidden=p.hidden, attention=p.attention),
            lambda: check_depth(pair),
            lambda: check_alike(pair, heads=bool(p.attention)),
        ]
    )
    stages = (
        Stage(terms=_intermediate(p, pair), until=p.intermediate, name="intermediate", scored=False),
        Stage(terms=(_prediction(p, pair),), name="prediction", anew=True),
    )
    return Recipe(stages=stages, extras=_maps(p))


def _maps(p: TinyBERTParameters) -> dict[str, Callable[[Scene], nn.Module]]:
    """The map of the layers, and in the paper another one of the embeddings."""

    def linear(scene: Scene) -> nn.Module:
        return nn.Linear(scene.pair.student.hidden, scene.pair.teacher.hidden, bias=p.variant == "code")

    names = ("map_hidden", "map_embedding") if p.variant == "paper" else ("map_hidden",)
    return dict.fromkeys(names, linear)


def _intermediate(p: TinyBERTParameters, pair: Pair) -> tuple[Term, ...]:
    at_s, at_t = student_layers(pair), uniform(pair)
    of_embedding = "map_embedding" if p.variant == "paper" else "map_hidden"

    def mask(step: Step) -> Tensor | None:
        return step.attention_mask if p.variant == "paper" else None

    def of_teacher(wanted: frozenset[Need]) -> frozenset[Need]:
        return padded(wanted, p.variant == "code")

    def on_embedding(step: Step) -> Tensor:
        mapped = step.extras[of_embedding](step.student.hidden((0,)))
        return hidden_mse(mapped, step.teacher.hidden((0,)), mask(step))

    # The losses are means over the layers, too: times their number they are the sums.
    def on_hidden(step: Step) -> Tensor:
        mapped = step.extras["map_hidden"](step.student.hidden(at_s))
        return len(at_s) * hidden_mse(mapped, step.teacher.hidden(at_t), mask(step))

    def on_scores(step: Step) -> Tensor:
        student, teacher = step.student.scores(at_s), step.teacher.scores(at_t)
        if p.variant == "code":
            padded = step.attention_mask[:, None, None, :] == 0
            student, teacher = student.masked_fill(padded, MASKED), teacher.masked_fill(padded, MASKED)
        return len(at_s) * attention_mse(student, teacher, mask(step))

    return (
        Term("embedding", p.embedding, on_embedding, student=hidden((0,)), teacher=of_teacher(hidden((0,)))),
        Term("hidden", p.hidden, on_hidden, student=hidden(at_s), teacher=of_teacher(hidden(at_t))),
        Term(
            "attention",
            p.attention,
            on_scores,
            student=needs("scores", at_s),
            teacher=of_teacher(needs("scores", at_t)),
        ),
    )


def _prediction(p: TinyBERTParameters, pair: Pair) -> Term:
    if pair.regression and p.regression_target == "labels":
        return hard_term(1.0, regression=True)
    if pair.regression:
        return soft_term(1.0, p.temperature, regression=True)
    by: Literal["batchmean", "elementmean"] = "batchmean" if pair.answers == "span" else "elementmean"

    def on_logits(step: Step) -> Tensor:
        return soft_cross_entropy(step.student.logits, step.teacher.logits, p.temperature, reduction=by)

    return Term("soft", 1.0, on_logits, student=SEE_LOGITS, teacher=SEE_LOGITS)


METHOD = Method(
    name="tinybert",
    title="TinyBERT on a task: embeddings, hidden states and attention scores, then predictions",
    paper="Jiao et al. 2020, TinyBERT: Distilling BERT for Natural Language Understanding",
    parameters=TinyBERTParameters,
    recipe=recipe,
)
