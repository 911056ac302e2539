"""Contextual knowledge distillation (Park, Kim & Yang 2021, sections 3 and 4).

The student is taught how words relate, not where they lie, so widths may differ. Two relations are matched over the
layers that both networks share by gcd alignment, the embedding output included (with 12 and 5 layers that is the
embedding output and the last alone, and LTR has no part):

* word relation (WR): pairs and triples of words of one layer, within a window of delta words on either side;
* layer transforming relation (LTR): pairs and triples of layers of one word.

variant "paper": (1 - alpha) CE + alpha T^2 KL + lambda_ckd (WR + LTR), each of WR and LTR = pair + lambda_relation
triple (lambda_WR = lambda_LTR in the paper's grid). The pair relation is the Euclidean distance, divided by its mean
so that widths compare; real words only; WR is summed over layers, LTR averaged over the relations of a word.

variant "code" (the published training loop): the pair relation is a KL of cosine softmaxes without a window, the
triple's window is clamped at the edges of the padded sequence, layers are averaged, the four terms carry weights of
their own, the soft term is a cross-entropy without T^2, and it replaces the hard term (alpha has no part).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from raykd.losses import (
    align_layers,
    layer_angle,
    layer_pair_kl,
    logits_mse,
    soft_cross_entropy,
    word_angle,
    word_pair_kl,
)
from raykd.losses.layer_relations import layer_angle_of, layer_pair_of
from raykd.losses.word_relations import word_angle_of, word_pair_of
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import LOGITS, hidden, layer_distances, padded, word_distances
from raykd.methods.terms import hard_term, soft_term

DISTANCE: dict[str, Any] = {"normalise": True, "penalty": "l2", "squared": False}


class CKDParameters(Parameters):
    """Weights of the paper's objective; the last four weigh the published code's terms."""

    variant: Literal["paper", "code"] = Field("paper", description="as printed, or as published in code")
    alpha: float = Field(0.9, ge=0, le=1, description="weight of the soft term (paper)")
    temperature: float = Field(3.0, gt=0, description="T of the soft term")
    lambda_ckd: float = Field(1.0, ge=0, description="weight of WR + LTR (paper)")
    lambda_relation: float = Field(1.0, ge=0, description="weight of triples against pairs, WR and LTR (paper)")
    delta: int = Field(10, ge=1, description="words on either side that a word relates to; window = 2 delta + 1")
    word_pair: float = Field(1.0, ge=0, description="weight of the word pair relation (code)")
    word_angle: float = Field(10.0, ge=0, description="weight of the word angle relation (code)")
    layer_pair: float = Field(1.0, ge=0, description="weight of the layer pair relation (code)")
    layer_angle: float = Field(10.0, ge=0, description="weight of the layer angle relation (code)")


def recipe(parameters: CKDParameters, pair: Pair) -> Recipe:
    """One stage; the layers of both networks aligned by gcd, embedding output included."""
    teacher_layers, student_layers = align_layers(pair.teacher.layers, pair.student.layers, "emb+skip")
    make = _paper_terms if parameters.variant == "paper" else _code_terms
    return Recipe(stages=(Stage(terms=make(parameters, pair, teacher_layers, student_layers)),))


def _paper_terms(p: CKDParameters, pair: Pair, at_t: tuple[int, ...], at_s: tuple[int, ...]) -> tuple[Term, ...]:
    """Made of distances alone: between words at most 2 delta apart (two corners of a window), between layers."""
    reach, related = 2 * p.delta, _related(at_s)
    of_words = {"student": word_distances(at_s, reach), "teacher": word_distances(at_t, reach)}
    of_layers = {"student": layer_distances(at_s), "teacher": layer_distances(at_t)}

    def across_words(step: Step) -> tuple[Tensor, Tensor, Tensor]:
        return step.student.word_distances(at_s, reach), step.teacher.word_distances(at_t, reach), step.attention_mask

    def across_layers(step: Step) -> tuple[Tensor, Tensor, Tensor, int]:
        return step.student.layer_distances(at_s), step.teacher.layer_distances(at_t), step.attention_mask, len(at_s)

    def words(step: Step) -> Tensor:
        return word_pair_of(*across_words(step), **DISTANCE, delta=p.delta, layer_reduction="sum")

    def word_triples(step: Step) -> Tensor:
        return word_angle_of(*across_words(step), delta=p.delta, neighbours="valid", layer_reduction="sum")

    def layers(step: Step) -> Tensor:
        return layer_pair_of(*across_layers(step), **DISTANCE)

    def layer_triples(step: Step) -> Tensor:
        return layer_angle_of(*across_layers(step))

    return (
        hard_term(1 - p.alpha, regression=pair.regression),
        soft_term(p.alpha, p.temperature, regression=pair.regression),
        Term("word_pair", p.lambda_ckd, words, **of_words),
        Term("word_angle", p.lambda_ckd * p.lambda_relation, word_triples, **of_words),
        Term("layer_pair", p.lambda_ckd * related, layers, **of_layers),
        Term("layer_angle", p.lambda_ckd * related * p.lambda_relation, layer_triples, **of_layers),
    )


def _code_terms(p: CKDParameters, pair: Pair, at_t: tuple[int, ...], at_s: tuple[int, ...]) -> tuple[Term, ...]:
    needs = {"student": hidden(at_s), "teacher": hidden(at_t)}
    clamped = {"student": hidden(at_s), "teacher": padded(hidden(at_t))}
    related = _related(at_s)
    on_logits = logits_mse if pair.regression else soft_cross_entropy

    def states(step: Step) -> tuple[Tensor, Tensor, Tensor]:
        return step.student.hidden(at_s), step.teacher.hidden(at_t), step.attention_mask

    def soft(step: Step) -> Tensor:
        return on_logits(step.student.logits, step.teacher.logits, p.temperature)

    return (
        Term("soft", 1.0, soft, student=frozenset({LOGITS}), teacher=frozenset({LOGITS})),
        Term("word_pair", p.word_pair, lambda step: word_pair_kl(*states(step)), **needs),
        Term("word_angle", p.word_angle, lambda step: word_angle(*states(step), delta=p.delta), **clamped),
        Term("layer_pair", p.layer_pair * related, lambda step: layer_pair_kl(*states(step)), **needs),
        Term("layer_angle", p.layer_angle * related, lambda step: layer_angle(*states(step)), **needs),
    )


def _related(layers: tuple[int, ...]) -> int:
    """1 where LTR has something to say: of two layers alone, the one distance over its mean is 1 in any network."""
    return int(len(layers) > 2)


METHOD = Method(
    name="ckd",
    title="contextual knowledge distillation: word and layer relations",
    paper="Park, Kim & Yang 2021, Distilling Linguistic Context for Language Model Compression",
    parameters=CKDParameters,
    recipe=recipe,
)
