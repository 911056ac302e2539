"""Combined-KD: annealed targets, on the text and on text invented against the student (KD-NLP's Combined-KD).

Phase 1 joins Annealing-KD (Jafari et al. 2021) and MATE-KD (Rashid et al. 2021). x' is the text x with a part of its
words invented anew by a masked language model, see raykd.methods.invented; c = Phi(tau) grows from 1 / tau_max to 1 in
tau_max equal parts of the phase. S and T are logits, each mean is over samples and classes:

* variant "roberta" (default): alpha_adversarial mean (S(x') - c T(x'))^2 + alpha_soft mean (S(x) - c T(x))^2, half
  each; the generator raises mean (S(x') - T(x'))^2, which is not annealed.
* variant "bert", the script published for BERT: alpha_hard CE(S(x), y) + alpha_soft mean (S(x) - c T(x))^2, half each.
  That script invents text and does not use it; here there is no generator then, and its parameters have no part.

Phase 2: cross-entropy on the text alone, from the student of phase 1's best evaluation, with a fresh optimiser. The
published generator goes on through it, for nobody; here it stops with phase 1. A regression takes mean squared errors,
sample by sample (the code broadcasts [B, 1] against [B]). c never exceeds 1. No spans: their logits at padded
positions are no numbers to imitate. The published 30 + 10 epochs are phase = 0.75 of 40.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from raykd.errors import together
from raykd.losses.annealing import annealed_mse, annealed_scale
from raykd.methods.checks import check_weighs
from raykd.methods.generator import GeneratorParameters, check_tables
from raykd.methods.invented import generator_of, invented_logits
from raykd.methods.method import Method, Pair
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS
from raykd.methods.terms import hard_term


class CombinedParameters(GeneratorParameters):
    """The annealing, phase 1's weights, and the generator."""

    variant: Literal["roberta", "bert"] = Field("roberta", description="phase 1 as published for RoBERTa or for BERT")
    tau_max: int = Field(10, ge=1, description="temperatures of phase 1; c = 1 / tau_max, 2 / tau_max, ..., 1")
    phase: float = Field(0.75, gt=0, lt=1, description="phase 1's part of the run; 30 of 40 epochs are 0.75")
    alpha_adversarial: float = Field(0.5, ge=0, description="weight of the annealed error on invented text (roberta)")
    alpha_soft: float = Field(0.5, ge=0, description="weight of the annealed error on the text itself")
    alpha_hard: float = Field(0.5, ge=0, description="weight of the labels in phase 1 (bert)")


def recipe(parameters: CombinedParameters, pair: Pair) -> Recipe:
    """Two stages; the first trains no classifier in earnest, so it is no rung of a sweep."""
    p = parameters
    invents = p.variant == "roberta" and p.alpha_adversarial > 0

    def scale(step: Step) -> float:
        # The phase's last step may lie a rounding error beyond its end.
        return annealed_scale(min(1.0, step.progress / p.phase), p.tau_max)

    def on_invented(step: Step) -> Tensor:
        return annealed_mse(*invented_logits(step, p.mask_probability), scale(step))

    def on_clean(step: Step) -> Tensor:
        return annealed_mse(step.student.logits, step.teacher.logits, scale(step))

    soft = Term("soft", p.alpha_soft, on_clean, student=SEE_LOGITS, teacher=SEE_LOGITS)
    first: tuple[Term, ...]
    if p.variant == "roberta":
        together(
            [
                lambda: check_tables(pair),
                lambda: check_weighs(alpha_adversarial=p.alpha_adversarial, alpha_soft=p.alpha_soft),
            ]
        )
        first = (soft, Term("adversarial", p.alpha_adversarial, on_invented)) if invents else (soft,)
    else:
        check_weighs(alpha_hard=p.alpha_hard, alpha_soft=p.alpha_soft)
        first = (soft, hard_term(p.alpha_hard, regression=pair.regression))
    return Recipe(
        stages=(
            Stage(first, until=p.phase, name="annealing", scored=False),
            Stage((hard_term(1.0, regression=pair.regression),), name="labels", anew=True, from_best=True),
        ),
        opponent=generator_of(p, "mse", until=p.phase) if invents else None,
        live=invents,
    )


METHOD = Method(
    name="combined_kd",
    title="annealing distillation on the text and on adversarial text, then labels",
    paper="Jafari et al. 2021 (Annealing-KD) and Rashid et al. 2021 (MATE-KD), joined in KD-NLP's Combined-KD",
    parameters=CombinedParameters,
    recipe=recipe,
    answers=frozenset({"classes", "number"}),
)
