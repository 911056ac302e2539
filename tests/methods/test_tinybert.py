"""TinyBERT: its stages, its layers, and the sums of its two variants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from raykd import losses
from raykd.errors import UserError
from raykd.methods import tinybert
from raykd.methods.method import Answers
from raykd.methods.recipe import Recipe, Step
from raykd.methods.seen import LOGITS, Need
from raykd.methods.tinybert import TinyBERTParameters
from raykd.train.stages import plan_stages
from tests.methods.steps import CLASSES, MASK, Stand, layers, pair

LAYERS = ((1, 2), (2, 4))  # student's and teacher's, of 2 and 4
WEIGHTS: dict[str, Any] = {"embedding": 2.0, "hidden": 3.0, "attention": 5.0}


def stand(answers: Answers = "classes", **draw: Any) -> tuple[Stand, Recipe, Step]:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), tinybert.recipe(TinyBERTParameters.model_validate(draw), networks)
    return scene, recipe, scene.step(recipe)


def total(recipe: Recipe, stage: int, step: Step) -> float:
    return sum(term.weight * term.loss(step).item() for term in recipe.stages[stage].active)


def seen(scene: Stand, kind: Any, at_student: int, at_teacher: int) -> tuple[Tensor, Tensor]:
    return scene.student.answers[Need(kind, at_student)], scene.teacher.answers[Need(kind, at_teacher)]


@pytest.mark.parametrize(
    ("teacher", "student", "at_teacher"),
    [(12, 4, (3, 6, 9, 12)), (12, 6, (2, 4, 6, 8, 10, 12)), (6, 4, (2, 3, 5, 6)), (3, 3, (1, 2, 3))],
)
def test_layers_are_matched_uniformly(teacher: int, student: int, at_teacher: tuple[int, ...]) -> None:
    first = tinybert.recipe(TinyBERTParameters(), pair(teacher, student)).stages[0]
    of = {term.name: term for term in first.terms}
    assert (layers(of["embedding"].teacher), layers(of["embedding"].student)) == ((0,), (0,))
    for name in ("hidden", "attention"):
        assert (layers(of[name].teacher), layers(of[name].student)) == (at_teacher, tuple(range(1, student + 1)))


def test_ten_of_thirteen_epochs_are_intermediate_and_the_rest_starts_anew() -> None:
    _, recipe, _ = stand()
    first, second = plan_stages(recipe, 130)
    assert (first.start, first.end, first.rate_end) == (0, 100, 100)
    assert (second.start, second.end, second.rate_start) == (100, 130, 100)
    assert (first.stage.scored, second.stage.scored) == (False, True)
    assert second.stage.anew
    assert not {LOGITS} & (first.stage.teacher_needs() | first.stage.student_needs())


def test_the_first_sum_of_the_paper() -> None:
    scene, recipe, step = stand(**WEIGHTS)
    maps = {name: module.get_parameter("weight") for name, module in step.extras.items()}
    assert {name: tuple(weight.shape) for name, weight in maps.items()} == {
        "map_hidden": (24, 16),
        "map_embedding": (24, 16),
    }
    assert all(module.bias is None for module in step.extras.values())
    real, both = MASK.bool(), (MASK[:, None, :, None] * MASK[:, None, None, :]).bool().expand(-1, 4, -1, -1)
    student, teacher = seen(scene, "hidden", 0, 0)
    expected = 2 * F.mse_loss((student @ maps["map_embedding"].T)[real], teacher[real])
    for at in LAYERS:
        student, teacher = seen(scene, "hidden", *at)
        expected = expected + 3 * F.mse_loss((student @ maps["map_hidden"].T)[real], teacher[real])
        student, teacher = seen(scene, "scores", *at)
        expected = expected + 5 * F.mse_loss(student[both], teacher[both])
    assert total(recipe, 0, step) == pytest.approx(expected.item(), rel=1e-5)


def test_the_first_sum_of_the_code() -> None:
    scene, recipe, step = stand(variant="code", **WEIGHTS)
    [(name, shared)] = step.extras.items()
    assert name == "map_hidden"
    assert shared.bias is not None
    student, teacher = seen(scene, "hidden", 0, 0)
    expected = 2 * F.mse_loss(shared(student), teacher)
    keys = MASK[:, None, None, :]
    for at in LAYERS:
        student, teacher = seen(scene, "hidden", *at)
        expected = expected + 3 * F.mse_loss(shared(student), teacher)
        student, teacher = seen(scene, "scores", *at)
        expected = expected + 5 * F.mse_loss(student * keys, teacher * keys)
    assert total(recipe, 0, step) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("variant", "counts"), [("paper", False), ("code", True)])
def test_whether_padding_counts(variant: str, counts: bool) -> None:
    scene, recipe, step = stand(variant=variant)
    before = total(recipe, 0, step)
    with torch.no_grad():
        for need, answer in scene.student.answers.items():
            if need.kind == "hidden":
                answer[MASK == 0] += 1.0
    assert (total(recipe, 0, scene.step(recipe)) != before) == counts


def test_predictions_are_the_cross_entropy_of_the_code() -> None:
    scene, recipe, step = stand(temperature=2.0)
    student, teacher = scene.student.answers[LOGITS] / 2, scene.teacher.answers[LOGITS] / 2
    expected = F.cross_entropy(student, teacher.softmax(-1)).item() / CLASSES
    assert total(recipe, 1, step) == pytest.approx(expected, rel=1e-5)


def test_predictions_of_a_span_do_not_thin_with_padding() -> None:
    scene, recipe, step = stand("span")
    expected = losses.soft_cross_entropy(scene.student.answers[LOGITS], scene.teacher.answers[LOGITS])
    assert total(recipe, 1, step) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("target", ["labels", "teacher"])
def test_a_number_learns_gold_labels_or_the_teacher(target: str) -> None:
    scene, recipe, step = stand("number", regression_target=target)
    learned = step.labels if target == "labels" else scene.teacher.answers[LOGITS][:, 0]
    expected = (scene.student.answers[LOGITS][:, 0] - learned).square().mean()
    assert total(recipe, 1, step) == pytest.approx(expected.item(), rel=1e-5)


def test_a_pair_is_refused_for_all_its_reasons() -> None:
    networks = pair(2, 4)
    networks = replace(networks, student=replace(networks.student, heads=2))
    with pytest.raises(UserError) as caught:
        tinybert.recipe(TinyBERTParameters(), networks)
    assert len(caught.value.problems) == 2
    assert "give a student of 1 to 2" in str(caught.value)
    assert "heads: the student has 2, the teacher 4" in str(caught.value)
    assert "the student needs 4" in str(caught.value)


def test_heads_may_differ_where_scores_do_not_count() -> None:
    networks = pair(4, 2)
    networks = replace(networks, student=replace(networks.student, heads=2))
    recipe = tinybert.recipe(TinyBERTParameters(attention=0), networks)
    assert [term.name for term in recipe.stages[0].active] == ["embedding", "hidden"]


def test_a_first_stage_of_no_weight_is_refused() -> None:
    with pytest.raises(UserError, match="embedding, hidden, attention: all are 0"):
        tinybert.recipe(TinyBERTParameters(embedding=0, hidden=0, attention=0), pair(4, 2))
