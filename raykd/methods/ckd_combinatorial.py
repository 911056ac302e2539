"""Combinatorial KD: each student layer learns from several teacher layers side by side (Wu et al. 2020).

loss = (1 - alpha - beta) CE + alpha KD + beta sum_j d(h_S^j, the layers M(j) of the teacher), weights as in the
published code. It shares the name CKD with contextual KD (Park et al. 2021), and nothing else. combination says what
M(j) is; for 6 to 2 layers: regular {1 2 3} {4 5 6}; overlap {1 2 3 4} {3 4 5 6}; skip {3} {6} (PKD's choice);
skip_comb {1 3 5} {2 4 6}; cross {1 3} {4 6}; skip_middle {1 2} {5 6}. Other depths follow the rules of
raykd.losses.layer_combination; all want m to divide n, the last two n = 3 m.

variant "code" (the published training loop): each student layer is projected up to the width of its concatenated set,
both are divided by their norms, and d is the squared distance, over the hidden states of all real tokens, divided by
their number. The last step is ours: the code divides by the number of target tokens, which a classifier has not.
variant "paper": the concatenated set is projected down to the student's width, and d is the mean over features of the
squared difference. Ours: on the [CLS] vectors, mean over the samples (the paper prints a sum); the projection is
learned, so the gradient reaches both sides.

Ours: the paper translates, here is classified: CE and KD are those of the task (KD = T^2 KL, batch mean; a regression
takes mean squared errors); where a set is as wide as the student nothing is projected, as in the code's skip; each
layer has a projection of its own, with a bias, as in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from raykd.errors import UserError, together
from raykd.losses.layer_combination import (
    LayerSets,
    allowed_combinations,
    combination_loss,
    concatenated,
    layer_sets,
    projected_teacher_loss,
)
from raykd.methods.layers import student_layers
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Scene, Stage, Step, Term
from raykd.methods.seen import hidden, needs
from raykd.methods.terms import hard_term, soft_term

Combination = Literal["regular", "overlap", "skip", "skip_comb", "cross", "skip_middle"]


class CombinatorialParameters(Parameters):
    """Which layers are combined, who is projected, and the weights."""

    variant: Literal["code", "paper"] = Field("code", description="the student projected up, or the teacher down")
    combination: Combination = Field("regular", description="teacher layers of each student layer")
    alpha: float = Field(0.5, ge=0, le=1, description="weight of the soft term; the hard term has 1 - alpha - beta")
    beta: float = Field(0.1, ge=0, le=1, description="weight of the combined layers")
    temperature: float = Field(5.0, gt=0, description="T of the soft term")


class EachItsOwn(nn.Module):
    """One linear map for each layer; layers of the width that is wanted are left as they are."""

    def __init__(self, widths: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.maps = nn.ModuleList([nn.Identity() if a == b else nn.Linear(a, b) for a, b in widths])

    def forward(self, layers: Sequence[Tensor]) -> list[Tensor]:
        """Each of `layers` [..., width] by its own map."""
        return [project(states) for project, states in zip(self.maps, layers, strict=True)]


def recipe(parameters: CombinatorialParameters, pair: Pair) -> Recipe:
    """One stage of three terms. UserError for weights above 1 together, and for depths without such a combination."""
    p = parameters
    together([lambda: _check_weights(p), lambda: _check_depths(p, pair)])
    sets = layer_sets(pair.student.layers, pair.teacher.layers, p.combination)
    terms = (
        hard_term(max(0.0, round(1 - p.alpha - p.beta, 9)), regression=pair.regression),  # 1 - 0.7 - 0.3 is 6e-17
        soft_term(p.alpha, p.temperature, regression=pair.regression),
        _code(p, pair, sets) if p.variant == "code" else _paper(p, pair, sets),
    )

    def projection(scene: Scene) -> nn.Module:
        own, wide = scene.pair.student.hidden, [len(chosen) * scene.pair.teacher.hidden for chosen in sets]
        return EachItsOwn([(own, width) if p.variant == "code" else (width, own) for width in wide])

    return Recipe(stages=(Stage(terms=terms),), extras={"projection": projection})


def _check_weights(p: CombinatorialParameters) -> None:
    if p.alpha + p.beta > 1 + 1e-9:
        raise UserError(
            f"alpha {p.alpha:g}, beta {p.beta:g}: the hard term has 1 - alpha - beta; give two that make 1 or less"
        )


def _check_depths(p: CombinatorialParameters, pair: Pair) -> None:
    n, m = pair.teacher.layers, pair.student.layers
    possible = allowed_combinations(m, n)
    if p.combination not in possible:
        depths = ", ".join(str(depth) for depth in range(1, n + 1) if p.combination in allowed_combinations(depth, n))
        raise UserError(
            f"combination '{p.combination}' has no sets for {m} student and {n} teacher layers; for this teacher it "
            f"takes {f'a student of {depths} layers' if depths else 'no student'}, "
            f"and these two take {', '.join(possible) or 'no combination'}"
        )


def _code(p: CombinatorialParameters, pair: Pair, sets: LayerSets) -> Term:
    at_s, at_t = student_layers(pair), _used(sets)
    within = _places(sets)

    def on_tokens(step: Step) -> Tensor:
        student = step.extras["projection"](step.student.hidden(at_s))
        taught = [concatenated(step.teacher.hidden(at_t), chosen) for chosen in within]
        return len(sets) * combination_loss(student, taught, step.attention_mask)

    return Term("combination", p.beta, on_tokens, student=hidden(at_s), teacher=hidden(at_t))


def _paper(p: CombinatorialParameters, pair: Pair, sets: LayerSets) -> Term:
    at_s, at_t = student_layers(pair), _used(sets)
    within = _places(sets)

    def on_cls(step: Step) -> Tensor:
        taught = step.extras["projection"]([concatenated(step.teacher.cls(at_t), chosen) for chosen in within])
        return len(sets) * projected_teacher_loss(step.student.cls(at_s).unbind(), taught)

    return Term("combination", p.beta, on_cls, student=needs("cls", at_s), teacher=needs("cls", at_t))


def _used(sets: LayerSets) -> tuple[int, ...]:
    """The teacher layers (from 1, as hidden states count) that any set has; skip leaves most of them out."""
    return tuple(sorted({layer + 1 for chosen in sets for layer in chosen}))


def _places(sets: LayerSets) -> LayerSets:
    """The sets (layers from 0), as places among the used layers."""
    used = _used(sets)
    return tuple(tuple(used.index(layer + 1) for layer in chosen) for chosen in sets)


METHOD = Method(
    name="ckd_combinatorial",
    title="combinatorial distillation: each layer learns from several teacher layers side by side",
    paper="Wu, Passban, Rezagholizadeh & Liu 2020, Why Skip If You Can Combine, and its published code",
    parameters=CombinatorialParameters,
    recipe=recipe,
)
