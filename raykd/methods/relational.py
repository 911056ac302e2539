"""What RKD, CC, SP, PKT and CRD share: one vector a sample of either network's last layer, and the terms beside it.

loss = (1 - alpha) CE + alpha T^2 KL + weight * relation of the samples of a batch. The defaults are those of
RepDistiller (Tian, Krishnan & Isola 2020), which trains all five as gamma CE + alpha KL + beta relation with gamma = 1
and alpha = 0, the weights being its beta: the relation stands in for the soft term. alpha above 0 combines the two.

The papers compare the features before an image classifier. Ours is the last layer's [CLS] vector, which the task's
head reads, or the mean of its real tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from raykd.losses.precision import widened
from raykd.methods.method import Pair, Parameters
from raykd.methods.recipe import Step, Term
from raykd.methods.seen import Need, Seen, needs
from raykd.methods.terms import hard_term, soft_term

Feature = Literal["cls", "mean"]


class RelationalParameters(Parameters):
    """Beside the relation."""

    alpha: float = Field(0.0, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha")
    temperature: float = Field(4.0, gt=0, description="T of the soft term")
    feature: Feature = Field("cls", description="a sample's vector, of the last layer: [CLS], or its tokens' mean")


def task_terms(parameters: RelationalParameters, pair: Pair) -> tuple[Term, Term]:
    """The hard and the soft term."""
    return (
        hard_term(1 - parameters.alpha, regression=pair.regression),
        soft_term(parameters.alpha, parameters.temperature, regression=pair.regression),
    )


def relation_term(
    name: str, weight: float, loss: Callable[[Step, Tensor, Tensor], Tensor], feature: Feature, pair: Pair
) -> Term:
    """A term on the samples' vectors; `loss` takes the step, and those of student [B, D_s] and teacher [B, D_t]."""
    at_s, at_t = pair.student.layers, pair.teacher.layers

    def on_vectors(step: Step) -> Tensor:
        student = _vectors(feature, step.student, at_s, step.attention_mask)
        return loss(step, student, _vectors(feature, step.teacher, at_t, step.attention_mask))

    return Term(name, weight, on_vectors, student=_needs(feature, at_s), teacher=_needs(feature, at_t))


def _needs(feature: Feature, layer: int) -> frozenset[Need]:
    return needs("cls" if feature == "cls" else "hidden", (layer,))


def _vectors(feature: Feature, seen: Seen, layer: int, attention_mask: Tensor) -> Tensor:
    """[B, D]; the mean is over real tokens."""
    if feature == "cls":
        return seen.of("cls", layer)
    (states,) = widened(seen.of("hidden", layer))
    real = attention_mask.bool().unsqueeze(-1)
    return torch.where(real, states, 0.0).sum(dim=1) / real.sum(dim=1).clamp_min(1)
