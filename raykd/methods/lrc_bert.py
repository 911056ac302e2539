"""LRC-BERT: contrastive distillation of hidden states (Fu et al. 2021).

    alpha L_C + beta L_S + gamma L_H                                          (eq. 6)

* L_C, COS-NCE (eqs. 1-3): the student's output of layer i = 1..M, mapped to the teacher's width by W, shall be near the
  teacher's of layer ceil(i n / M) (3, 6, 9, 12 for 12 to 4) and far from the teacher's of the other sentences of the
  batch, both by angle; mean over sentences, sum over layers;
* L_S (eq. 4): KL(softmax(teacher / tau) || softmax(student / tau)), without tau^2;
* L_H (eq. 5): cross-entropy of the student with softmax(onehot / tau), as printed, which smooths the labels heavily;
  hard "onehot" is the variant with the labels as they are.

Two stages: alpha L_C alone for the fraction `first` of the run, in which no classifier learns, so it is
not scored; then all three.

Gradient perturbation (eqs. 7-8), in both stages: a first pass gives the gradient of the total at the embedding output,
which is moved along it by a step of norm 1 per sentence; the update is that of a second pass from there.

view says how an output [L, D] is one vector: "flat" (default) flattened with padding at 0, "token" position by
position, "cls" the first one, "mean" that of all tokens. projection: one W without a bias for all layers, or one each.

Ours where the text is open: view, W, the reductions, the norm per sentence; a regression takes mean squared errors for
L_S and L_H; a span's L_H is onehot, as hardly anything of a label softened over all positions is left at the true one;
rows without a label have no part in L_H.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from raykd.errors import UserError, together
from raykd.losses import kl_divergence, logits_mse
from raykd.losses.cosine_contrast import View, cos_nce, softened_hard
from raykd.losses.logits import NO_LABEL
from raykd.losses.perturbation import perturb
from raykd.methods.checks import check_weighs
from raykd.methods.layers import check_depth, student_layers, uniform
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Scene, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, needs
from raykd.methods.terms import hard_term


class LRCParameters(Parameters):
    """Weights of eq. 6, the paper's (1, 1, 3), and what its text leaves open."""

    alpha: float = Field(1.0, ge=0, description="weight of COS-NCE, in both stages")
    beta: float = Field(1.0, ge=0, description="weight of the soft term")
    gamma: float = Field(3.0, ge=0, description="weight of the hard term")
    tau: float = Field(1.1, gt=0, description="temperature of the soft term and of the softened labels")
    first: float = Field(0.8, ge=0, lt=1, description="fraction of the run that trains on COS-NCE alone")
    view: View = Field("flat", description="how a layer's output is a vector")
    projection: Literal["shared", "per_layer"] = Field("shared", description="one map to the teacher's width, or more")
    hard: Literal["softened", "onehot"] = Field("softened", description="labels softened by tau as printed, or as are")
    perturb: bool = Field(True, description="train at embeddings moved along the gradient, which takes two passes")


def recipe(parameters: LRCParameters, pair: Pair) -> Recipe:
    """Two stages, or one where `first` is 0. UserError for a deeper student, and a stage without any weight."""
    p = parameters
    together(
        [
            lambda: check_depth(pair),
            lambda: check_weighs(beta=p.beta, gamma=p.gamma),
            lambda: _check_first(p),
        ]
    )
    contrast = (_contrast(p, pair),) if p.alpha else ()
    extras = dict.fromkeys(_maps(p, pair), _map) if p.alpha else {}
    move = _moved if p.perturb else None
    full = Stage(terms=(*contrast, _soft(p, pair), _hard(p, pair)), name="all", perturb=move)
    if not p.first:
        return Recipe(stages=(full,), extras=extras)
    layers = Stage(terms=contrast, until=p.first, name="layers", scored=False, perturb=move)
    return Recipe(stages=(layers, full), extras=extras)


def _check_first(p: LRCParameters) -> None:
    if p.first and not p.alpha:
        raise UserError(
            f"first: {p.first}, and alpha is 0, so the first stage learns nothing; give alpha above 0, or first 0"
        )


def _maps(p: LRCParameters, pair: Pair) -> tuple[str, ...]:
    """The names of the maps of layers 1..M."""
    layers = student_layers(pair)
    return ("projection",) * len(layers) if p.projection == "shared" else tuple(f"projection_{k}" for k in layers)


def _map(scene: Scene) -> nn.Module:
    return nn.Linear(scene.pair.student.hidden, scene.pair.teacher.hidden, bias=False)


def _moved(embedded: Tensor, gradient: Tensor, attention_mask: Tensor) -> Tensor:
    return perturb(embedded, gradient, "sample", attention_mask=attention_mask)


def _contrast(p: LRCParameters, pair: Pair) -> Term:
    at_s, at_t, maps = student_layers(pair), uniform(pair), _maps(p, pair)
    kind: Literal["cls", "hidden"] = "cls" if p.view == "cls" else "hidden"

    def on_layers(step: Step) -> Tensor:
        student, teacher, mask = step.student.stacked(kind, at_s), step.teacher.stacked(kind, at_t), step.attention_mask
        if kind == "cls":
            student, teacher, mask = student.unsqueeze(2), teacher.unsqueeze(2), mask[:, :1]
        mapped = torch.stack([step.extras[name](layer) for name, layer in zip(maps, student, strict=True)])
        return cos_nce(mapped, teacher, mask, p.view)

    return Term("contrast", p.alpha, on_layers, student=needs(kind, at_s), teacher=needs(kind, at_t))


def _soft(p: LRCParameters, pair: Pair) -> Term:
    def on_logits(step: Step) -> Tensor:
        if pair.regression:
            return logits_mse(step.student.logits, step.teacher.logits)
        return kl_divergence(step.student.logits, step.teacher.logits, p.tau) / p.tau**2

    return Term("soft", p.beta, on_logits, student=SEE_LOGITS, teacher=SEE_LOGITS)


def _hard(p: LRCParameters, pair: Pair) -> Term:
    onehot: Callable[[Step], Tensor] = hard_term(p.gamma, regression=pair.regression).loss

    def on_softened(step: Step) -> Tensor:
        labelled = step.labels != NO_LABEL
        if not labelled.any():
            return onehot(step)  # 0, of which the student is still a part
        return softened_hard(step.student.logits[labelled], step.labels[labelled], p.tau)

    softened = p.hard == "softened" and pair.answers == "classes"
    return Term("hard", p.gamma, on_softened if softened else onehot, student=SEE_LOGITS)


METHOD = Method(
    name="lrc_bert",
    title="LRC-BERT: hidden states contrasted by angle, gradient perturbation, two stages",
    paper="Fu et al. 2021, LRC-BERT: Latent-representation Contrastive Knowledge Distillation",
    parameters=LRCParameters,
    recipe=recipe,
)
