"""Annealing distillation: the scale over phase 1, the two phases, the tasks it learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raykd.errors import UserError
from raykd.losses import hard_cross_entropy, regression_mse
from raykd.methods import annealing_kd
from raykd.methods.annealing_kd import METHOD, AnnealingParameters
from raykd.methods.seen import LOGITS
from tests.methods.steps import Stand, pair


@pytest.mark.parametrize("answers", ["classes", "number"])
@pytest.mark.parametrize(
    ("progress", "scale"),
    [(0.001, 1 / 7), (0.1, 1 / 7), (0.101, 2 / 7), (0.35, 4 / 7), (0.601, 1.0), (0.7, 1.0), (0.7 + 1e-9, 1.0)],
)
def test_phase_one_by_hand(answers: Any, progress: float, scale: float) -> None:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), annealing_kd.recipe(AnnealingParameters(tau_max=7, phase=0.7), networks)
    [term] = recipe.stages[0].active
    own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = sum((s - scale * t) ** 2 for s, t in zip(own.flatten().tolist(), told.flatten().tolist(), strict=True))
    assert term.loss(scene.step(recipe, progress)).item() == pytest.approx(expected / own.numel(), rel=1e-5)


@pytest.mark.parametrize(("phase", "epochs", "tau_max"), [(0.7, 20, 7), (0.7, 20, 14), (0.75, 40, 10)])
def test_every_step_of_a_run_has_the_published_scale(phase: float, epochs: int, tau_max: int) -> None:
    """Of 3 batches an epoch; the student's logits are 0 and the teacher's 1, so the loss is c squared."""
    networks = pair(4, 2)
    scene, recipe = Stand(networks), annealing_kd.recipe(AnnealingParameters(tau_max=tau_max, phase=phase), networks)
    with torch.no_grad():
        scene.student.answers[LOGITS].zero_()
        scene.teacher.answers[LOGITS].fill_(1.0)
    [term] = recipe.stages[0].active
    in_phase = round(phase * epochs)
    for step in range(3 * in_phase):
        temperature = 1 + (step // 3) // (in_phase // tau_max)
        loss = term.loss(scene.step(recipe, (step + 1) / (3 * epochs))).item()
        assert loss == pytest.approx((temperature / tau_max) ** 2, rel=1e-5), step


@pytest.mark.parametrize("answers", ["classes", "number"])
def test_phase_two_is_the_labels_from_the_best_of_phase_one(answers: Any) -> None:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), annealing_kd.recipe(AnnealingParameters(), networks)
    one, two = recipe.stages
    assert (one.until, one.scored, one.anew, one.from_best) == (0.7, False, False, False)
    assert (two.until, two.scored, two.anew, two.from_best) == (1.0, True, True, True)
    assert one.teacher_needs() == {LOGITS}
    assert two.teacher_needs() == frozenset()
    step = scene.step(recipe, 0.9)
    own, [term] = scene.student.answers[LOGITS], two.active
    hard = regression_mse(own, step.labels) if answers == "number" else hard_cross_entropy(own, step.labels)
    assert (term.weight, term.loss(step).item()) == (1.0, pytest.approx(hard.item()))


def test_spans_are_refused() -> None:
    with pytest.raises(UserError, match="learns classes, number; this task's answer is of kind span"):
        METHOD.links(AnnealingParameters(), pair(4, 2, answers="span"))
