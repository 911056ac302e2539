"""Vanilla distillation, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from raykd.methods import kd, none
from raykd.methods.kd import KDParameters
from raykd.methods.method import Parameters
from raykd.methods.seen import LOGITS
from tests.methods.steps import Stand, pair, terms


def test_the_sum_by_hand() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), kd.recipe(KDParameters(alpha=0.25, temperature=3.0), networks)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)

    expected = 0.0
    student, teacher = scene.student.answers[LOGITS].tolist(), scene.teacher.answers[LOGITS].tolist()
    for s, t, label in zip(student, teacher, step.labels.tolist(), strict=True):
        hard = math.log(sum(math.exp(x) for x in s)) - s[label]
        p, q = ([math.exp(x / 3) / sum(math.exp(y / 3) for y in row) for x in row] for row in (t, s))
        soft = 9 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        expected += (0.75 * hard + 0.25 * soft) / len(student)
    assert total == pytest.approx(expected, rel=1e-5)


def test_a_number_takes_squared_errors_without_temperature() -> None:
    networks = pair(4, 2, answers="number")
    scene = Stand(networks)
    for temperature in (1.0, 5.0):
        recipe = kd.recipe(KDParameters(alpha=0.25, temperature=temperature), networks)
        step = scene.step(recipe)
        answer, told = scene.student.answers[LOGITS][:, 0], scene.teacher.answers[LOGITS][:, 0]
        assert terms(recipe)["hard"].loss(step).item() == pytest.approx((answer - step.labels).square().mean().item())
        assert terms(recipe)["soft"].loss(step).item() == pytest.approx((answer - told).square().mean().item())


@pytest.mark.parametrize(("alpha", "active"), [(0.0, ["hard"]), (0.5, ["hard", "soft"]), (1.0, ["soft"])])
def test_what_does_not_weigh_is_not_there(alpha: float, active: list[str]) -> None:
    [stage] = kd.recipe(KDParameters(alpha=alpha), pair(4, 2)).stages
    assert [term.name for term in stage.active] == active
    assert stage.teacher_needs() == ({LOGITS} if "soft" in active else set())


def test_plain_fine_tuning_is_cross_entropy_alone() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), none.recipe(Parameters(), networks)
    step = scene.step(recipe)
    [term] = recipe.stages[0].active
    expected = torch.nn.functional.cross_entropy(scene.student.answers[LOGITS], step.labels)
    assert (term.weight, term.loss(step).item()) == (1.0, pytest.approx(expected.item()))
