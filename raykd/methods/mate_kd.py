"""MATE-KD: the student learns on text that a generator invents to part it from the teacher (Rashid et al. 2021).

Two networks take turns, as in a game (sections 3.1 and 3.2). x' is the text x with a part of its words invented anew
by a masked language model G, see raykd.methods.invented.

* Maximisation: G raises D(T(x'), S(x')), by its own optimiser.
* Minimisation: S lowers  alpha_hard CE(S(x), y) + alpha_adversarial D(T(x'), S(x')) + alpha_soft D(T(x), S(x)),
  a third each.

D is at T = 1. divergence "cross_entropy" is the published code's, -sum p_T ln p_S; "kl" is the paper's
sum p_T ln(p_T / p_S). They are one for the student; the generator, whose text moves the teacher too, is drawn by the
code's also to texts of which the teacher is unsure. A regression takes mean squared errors for all of it.

The published loop gives 10 batches to the generator alone, then 100 to the student. Here the student learns on every
batch and the generator on the first 10 of each 100 besides: the same 10 to 100, and no text is left out. Published
otherwise: the generator's learning rate decays, gradients are clipped at 5 (here both at the training's
max_grad_norm), segments are not given. Weights, masking, cycle and learning rate are the code's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from raykd.errors import together
from raykd.losses.adversarial import Divergence, divergence
from raykd.methods.checks import check_weighs
from raykd.methods.generator import GeneratorParameters, check_tables
from raykd.methods.invented import generator_of, invented_logits
from raykd.methods.method import Method, Pair
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS
from raykd.methods.terms import hard_term


class MateParameters(GeneratorParameters):
    """The student's three weights, what parts the networks, and the generator."""

    alpha_hard: float = Field(1 / 3, ge=0, description="weight of the cross-entropy with the labels")
    alpha_adversarial: float = Field(1 / 3, ge=0, description="weight of the divergence on invented text")
    alpha_soft: float = Field(1 / 3, ge=0, description="weight of the divergence on the text itself")
    divergence: Literal["cross_entropy", "kl"] = Field("cross_entropy", description="D: the code's, or the paper's")


def recipe(parameters: MateParameters, pair: Pair) -> Recipe:
    """One stage of three terms; the generator is made only where its text is learned from."""
    p = parameters
    weights = {"alpha_hard": p.alpha_hard, "alpha_adversarial": p.alpha_adversarial, "alpha_soft": p.alpha_soft}
    together([lambda: check_tables(pair), lambda: check_weighs(**weights)])
    kind: Divergence = "mse" if pair.regression else p.divergence

    def on_invented(step: Step) -> Tensor:
        return divergence(*invented_logits(step, p.mask_probability), kind)

    def on_clean(step: Step) -> Tensor:
        return divergence(step.student.logits, step.teacher.logits.detach(), kind)

    clean = (
        hard_term(p.alpha_hard, regression=pair.regression),
        Term("soft", p.alpha_soft, on_clean, student=SEE_LOGITS, teacher=SEE_LOGITS),
    )
    if not p.alpha_adversarial:
        return Recipe(stages=(Stage(clean),))
    adversarial = Term("adversarial", p.alpha_adversarial, on_invented)
    return Recipe(stages=(Stage((*clean, adversarial)),), opponent=generator_of(p, kind), live=True)


METHOD = Method(
    name="mate_kd",
    title="masked adversarial text: a generator seeks where student and teacher part",
    paper="Rashid, Lioutas & Rezagholizadeh 2021, MATE-KD: Masked Adversarial TExt",
    parameters=MateParameters,
    recipe=recipe,
)
