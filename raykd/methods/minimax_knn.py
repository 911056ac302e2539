"""Minimax-kNN: the student learns from those near neighbours on which it most differs (Kamalloo et al. 2021).

Each training text has up to K neighbours among texts of the user's, retrieved once, see raykd.methods.neighbours.

* Maximisation: of a text's neighbours x' the k1 with the largest KL(T(x') || S(x')) at temperature T are selected.
* Minimisation: alpha_true CE(S(x), y) + alpha_ce T^2 KL(T(x) || S(x)) + alpha_aug T^2 KL(T(x') || S(x')), the last a
  mean over the selected. A neighbour has no label; the teacher's word on it was kept.

Selected is anew at each step, for the texts of the batch, by the student as it is: that is once an epoch for each
text. The student judges in evaluation mode, so that what is hard is not decided by dropout (the code leaves it on),
and without gradients; only the k1 go through it once more to be learned. The code learns from one neighbour, that of
a given rank; the authors' slides from 4 of 8, as here. The code retrieves by a sentence encoder and measures angles
afterwards; here the teacher's [CLS] does both.

alpha_aug is alpha_ce where the code is not told otherwise; T = 5 and the weights of a half are its defaults. A
regression selects by squared error and learns mean squared errors. No spans: a neighbour has other positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn

from raykd.errors import UserError, together
from raykd.losses import kl_divergence, logits_mse
from raykd.losses.minimax import hardest, largest
from raykd.methods.checks import check_weighs
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.neighbours import CORPUS_LOGITS, NEIGHBOURS, Near, neighbours_of
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS
from raykd.methods.terms import hard_term, soft_term


class MinimaxParameters(Parameters):
    """The three weights, and which neighbours there are to learn from."""

    alpha_ce: float = Field(0.5, ge=0, description="weight of the soft term on the training text")
    alpha_true: float = Field(0.5, ge=0, description="weight of the labels")
    alpha_aug: float = Field(0.5, ge=0, description="weight of the soft term on the selected neighbours")
    temperature: float = Field(5.0, gt=0, description="T, softens both distributions, also for selecting")
    neighbours: int = Field(8, ge=1, description="K, of a training text, at most")
    selected: int = Field(4, ge=1, description="k1, those of the K that a step learns from")
    min_distance: float = Field(0.0, ge=0, le=1, description="least angle to a neighbour, in units of pi; 0: any")
    max_distance: float = Field(0.0, ge=0, le=1, description="largest angle to a neighbour, in units of pi; 0: any")


def recipe(parameters: MinimaxParameters, pair: Pair) -> Recipe:
    """One stage of three terms; neighbours are looked for only where they are learned from."""
    p = parameters
    weights = {"alpha_ce": p.alpha_ce, "alpha_true": p.alpha_true, "alpha_aug": p.alpha_aug}
    together([lambda: _check_numbers(p), lambda: check_weighs(**weights)])

    def on_neighbours(step: Step) -> Tensor:
        return _on_neighbours(step, p, regression=pair.regression)

    clean = (
        hard_term(p.alpha_true, regression=pair.regression),
        soft_term(p.alpha_ce, p.temperature, regression=pair.regression),
    )
    if not p.alpha_aug:
        return Recipe(stages=(Stage(clean),))
    near = Near(p.neighbours, p.min_distance, p.max_distance)
    selected = Term("neighbours", p.alpha_aug, on_neighbours)
    return Recipe(stages=(Stage((*clean, selected)),), facts=(neighbours_of(near),), live=True)


def _check_numbers(p: MinimaxParameters) -> None:
    problems = []
    if p.selected > p.neighbours:
        problems.append(f"selected: {p.selected} of {p.neighbours} neighbours; give 1 to {p.neighbours}")
    if 0 < p.max_distance < p.min_distance:
        problems.append(
            f"max_distance: {p.max_distance} is below min_distance {p.min_distance}; give {p.min_distance} to 1, or 0"
        )
    if problems:
        raise UserError(*problems)


def _on_neighbours(step: Step, p: MinimaxParameters, *, regression: bool) -> Tensor:
    """The loss on the k1 hardest neighbours of each text of the batch; 0 where no text has any."""
    live = step.live
    assert live is not None
    assert live.corpus is not None
    candidates = step.facts[NEIGHBOURS][step.rows]  # [B, K]
    owner, column = (candidates >= 0).nonzero(as_tuple=True)
    rows = candidates[owner, column]  # [M] of the corpus
    if not len(rows):
        return torch.zeros((), device=rows.device, requires_grad=True)
    told = step.facts[CORPUS_LOGITS][rows]
    with _judging(live.student):
        opinion = live.observe(live.student, live.corpus.batch(rows.cpu().numpy()).to(rows.device), SEE_LOGITS).logits
    if regression:
        chosen = largest((opinion - told).square().sum(-1), owner, p.selected, owners=len(candidates))
    else:
        chosen = hardest(opinion, told, owner, p.selected, p.temperature, owners=len(candidates))
    chosen = chosen[chosen >= 0]
    batch = live.corpus.batch(rows[chosen].cpu().numpy()).to(rows.device)
    learned = live.observe(live.student, batch, SEE_LOGITS).logits
    return logits_mse(learned, told[chosen]) if regression else kl_divergence(learned, told[chosen], p.temperature)


@contextmanager
def _judging(network: nn.Module) -> Iterator[None]:
    """Within it, the network is in evaluation mode, and no gradients are kept."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


METHOD = Method(
    name="minimax_knn",
    title="nearest neighbours from your own texts, those on which student and teacher differ most",
    paper="Kamalloo, Rezagholizadeh, Passban & Ghodsi 2021, Not Far Away, Not So Close (MiniMax-kNN)",
    parameters=MinimaxParameters,
    recipe=recipe,
    answers=frozenset({"classes", "number"}),
    needs_corpus=True,
)
