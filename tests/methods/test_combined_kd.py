"""Combined-KD: its phases, the annealed sums of its variants, and when its generator stops."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.errors import UserError
from raykd.methods import combined_kd
from raykd.methods.combined_kd import CombinedParameters
from raykd.methods.invented import invented_logits
from raykd.methods.method import Answers
from raykd.methods.recipe import Recipe, Step
from raykd.methods.seen import LOGITS
from raykd.train.duel import Duel
from raykd.train.stages import plan_stages
from tests.methods.steps import Stand, pair


def stand(answers: Answers = "classes", progress: float = 0.5, **draw: Any) -> tuple[Stand, Recipe, Step]:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), combined_kd.recipe(CombinedParameters.model_validate(draw), networks)
    return scene, recipe, scene.step(recipe, progress)


def total(recipe: Recipe, stage: int, step: Step) -> Tensor:
    torch.manual_seed(1)
    return torch.stack([term.weight * term.loss(step) for term in recipe.stages[stage].active]).sum()


# 30 of 40 epochs at tau_max 10: c grows by 0.1 every third epoch.
@pytest.mark.parametrize(("epoch", "scale"), [(1, 0.1), (3, 0.1), (3.01, 0.2), (15, 0.5), (30, 1.0)])
@pytest.mark.parametrize("answers", ["classes", "number"])
def test_the_first_sum_on_both_texts(answers: Answers, epoch: float, scale: float) -> None:
    scene, recipe, step = stand(answers, epoch / 40)
    torch.manual_seed(1)
    new_student, new_teacher = invented_logits(step, 0.3)
    student, teacher = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = (F.mse_loss(new_student, scale * new_teacher) + F.mse_loss(student, scale * teacher)) / 2
    torch.testing.assert_close(total(recipe, 0, step), expected)


def test_the_first_sum_of_the_script_for_bert_invents_nothing() -> None:
    scene, recipe, step = stand(variant="bert", progress=0.3)
    student, teacher = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = (F.cross_entropy(student, step.labels) + F.mse_loss(student, 0.4 * teacher)) / 2
    torch.testing.assert_close(total(recipe, 0, step), expected)
    assert recipe.opponent is None
    assert not recipe.live


@pytest.mark.parametrize("variant", ["roberta", "bert"])
def test_the_second_phase_is_labels_alone_from_the_best_of_the_first(variant: str) -> None:
    scene, recipe, step = stand(variant=variant)
    first, second = plan_stages(recipe, 40)
    assert (first.end, first.rate_end, second.rate_start, second.end) == (30, 30, 30, 40)
    assert (second.stage.anew, second.stage.from_best) == (True, True)
    assert (first.stage.scored, second.stage.scored) == (False, True)
    assert second.stage.teacher_needs() == frozenset()
    expected = F.cross_entropy(scene.student.answers[LOGITS], step.labels)
    torch.testing.assert_close(total(recipe, 1, step), expected)


def test_the_generator_raises_a_difference_that_is_not_annealed() -> None:
    _, recipe, step = stand(progress=0.01)
    assert recipe.opponent is not None
    torch.manual_seed(1)
    student, teacher = invented_logits(step, 0.3)  # the same text: it draws the same
    torch.manual_seed(1)
    torch.testing.assert_close(recipe.opponent.loss(step), -F.mse_loss(student, teacher))


def test_the_generator_stops_with_the_first_phase() -> None:
    _, recipe, _ = stand(phase=0.5, generator_turns=2, generator_cycle=5)
    assert recipe.opponent is not None
    turns = [step for step in range(20) if Duel.turn(SimpleNamespace(opponent=recipe.opponent), step, (step + 1) / 20)]  # type: ignore[arg-type]
    assert turns == [0, 1, 5, 6]
    [first, _] = plan_stages(recipe, 20)
    assert first.end == 10


def test_no_weight_at_all_is_refused() -> None:
    networks = pair(4, 2)
    unlike = replace(networks, student=replace(networks.student, vocabulary=21))
    with pytest.raises(UserError) as caught:
        combined_kd.recipe(CombinedParameters(alpha_adversarial=0, alpha_soft=0), unlike)
    assert len(caught.value.problems) == 2
    with pytest.raises(UserError, match="alpha_hard, alpha_soft: all are 0"):
        combined_kd.recipe(CombinedParameters(variant="bert", alpha_hard=0, alpha_soft=0), networks)
    # Nothing is invented by the script for BERT, so any two tables serve.
    assert combined_kd.recipe(CombinedParameters(variant="bert"), unlike).opponent is None
