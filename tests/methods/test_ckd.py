"""Contextual distillation: its layers, and its two sums."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from raykd import losses
from raykd.methods import ckd
from raykd.methods.ckd import CKDParameters
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.seen import LOGITS
from tests.methods.steps import Stand, layers, pair

TEACHER, STUDENT = (0, 2, 4), (0, 1, 2)  # of 4 and 2 layers
PAPER = {"alpha": 0.6, "temperature": 2.0, "lambda_ckd": 10.0, "lambda_relation": 0.5, "delta": 2}
CODE = {"temperature": 2.0, "delta": 2, "word_pair": 2.0, "word_angle": 3.0, "layer_pair": 5.0, "layer_angle": 7.0}


@pytest.mark.parametrize(
    ("teacher", "student", "at_teacher", "at_student"),
    [
        (12, 6, (0, 2, 4, 6, 8, 10, 12), (0, 1, 2, 3, 4, 5, 6)),
        (12, 4, (0, 3, 6, 9, 12), (0, 1, 2, 3, 4)),
        (6, 3, (0, 2, 4, 6), (0, 1, 2, 3)),
        (4, 2, (0, 2, 4), (0, 1, 2)),
        (12, 8, (0, 3, 6, 9, 12), (0, 2, 4, 6, 8)),
        (5, 3, (0, 5), (0, 3)),
    ],
)
@pytest.mark.parametrize("variant", ["paper", "code"])
def test_layers_are_aligned_by_gcd(
    variant: str, teacher: int, student: int, at_teacher: tuple[int, ...], at_student: tuple[int, ...]
) -> None:
    recipe = ckd.recipe(CKDParameters.model_validate({"variant": variant}), pair(teacher, student))
    [stage] = recipe.stages
    relations = [term for term in stage.active if term.name not in ("hard", "soft")]
    within, across = ["word_pair", "word_angle"], ["layer_pair", "layer_angle"]
    # Of two layers alone the one distance over its mean is 1: nothing to learn from.
    assert [term.name for term in relations] == within + (across if len(at_student) > 2 else [])
    for term in relations:
        assert (layers(term.teacher), layers(term.student)) == (at_teacher, at_student)
        assert LOGITS not in term.teacher | term.student
    assert recipe.teacher_needs() == {LOGITS}.union(*(term.teacher for term in relations))


def total(stage: Stage, scene: Stand, recipe: Recipe) -> float:
    step = scene.step(recipe)
    return sum(term.weight * term.loss(step).item() for term in stage.active)


def seen(scene: Stand) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Matched states and logits of the student, and of the teacher, without noting."""
    student, teacher = (
        torch.stack(
            [states.answers[need] for need in sorted(states.answers) if need.kind == "hidden" and need.layer in at]
        )
        for states, at in ((scene.student, STUDENT), (scene.teacher, TEACHER))
    )
    return student, teacher, scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]


@pytest.mark.parametrize("regression", [False, True])
def test_the_sum_of_the_paper(regression: bool) -> None:
    networks = pair(4, 2, answers="number" if regression else "classes")
    scene, recipe = Stand(networks), ckd.recipe(CKDParameters.model_validate(PAPER), networks)
    step = scene.step(recipe)
    student, teacher, answer, told = seen(scene)
    states = (student, teacher, step.attention_mask)
    if regression:
        hard, soft = losses.regression_mse(answer, step.labels), losses.logits_mse(answer, told)
    else:
        hard, soft = losses.hard_cross_entropy(answer, step.labels), losses.kl_divergence(answer, told, 2.0)
    words = losses.word_pair_distance(
        *states, normalise=True, penalty="l2", squared=False, delta=2, layer_reduction="sum"
    ) + 0.5 * losses.word_angle(*states, delta=2, neighbours="valid", layer_reduction="sum")
    across = losses.layer_pair_distance(*states, normalise=True, penalty="l2", squared=False)
    across = across + 0.5 * losses.layer_angle(*states)
    expected = 0.4 * hard + 0.6 * soft + 10 * (words + across)
    assert total(recipe.stages[0], scene, recipe) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("regression", [False, True])
def test_the_sum_of_the_code(regression: bool) -> None:
    networks = pair(4, 2, answers="number" if regression else "classes")
    scene = Stand(networks)
    recipe = ckd.recipe(CKDParameters.model_validate({"variant": "code", **CODE}), networks)
    step = scene.step(recipe)
    student, teacher, answer, told = seen(scene)
    states = (student, teacher, step.attention_mask)
    soft = losses.logits_mse(answer, told, 2.0) if regression else losses.soft_cross_entropy(answer, told, 2.0)
    words = 2 * losses.word_pair_kl(*states) + 3 * losses.word_angle(*states, delta=2)
    across = 5 * losses.layer_pair_kl(*states) + 7 * losses.layer_angle(*states)
    assert total(recipe.stages[0], scene, recipe) == pytest.approx((soft + words + across).item(), rel=1e-5)


def test_alpha_has_no_part_in_the_code() -> None:
    networks = pair(4, 2)
    scene = Stand(networks)
    sums = []
    for alpha in (0.0, 1.0):
        recipe = ckd.recipe(CKDParameters(variant="code", alpha=alpha), networks)
        sums.append(total(recipe.stages[0], scene, recipe))
    assert sums[0] == sums[1]


@pytest.mark.parametrize(
    ("draw", "gone"),
    [
        ({"lambda_ckd": 0.0}, {"word_pair", "word_angle", "layer_pair", "layer_angle"}),
        ({"lambda_relation": 0.0}, {"word_angle", "layer_angle"}),
        ({"alpha": 0.0}, {"soft"}),
        ({"variant": "code", "word_angle": 0.0, "layer_pair": 0.0}, {"word_angle", "layer_pair"}),
    ],
)
def test_weights_of_zero_leave_terms_out(draw: dict[str, object], gone: set[str]) -> None:
    [stage] = ckd.recipe(CKDParameters.model_validate(draw), pair(4, 2)).stages
    assert {term.name for term in stage.terms} - {term.name for term in stage.active} == gone


def test_padding_does_not_count_in_the_paper() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), ckd.recipe(CKDParameters(), networks)
    before = total(recipe.stages[0], scene, recipe)
    padding = scene.step(recipe).attention_mask == 0
    with torch.no_grad():
        for states in (scene.student, scene.teacher):
            for need, answer in states.answers.items():
                if need.kind == "hidden":
                    answer[padding] += 100.0
    assert total(recipe.stages[0], scene, recipe) == pytest.approx(before, rel=1e-5)
