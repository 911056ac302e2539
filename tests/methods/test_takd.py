"""Teacher assistants: the loss of a link, who stands between, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from raykd.errors import UserError
from raykd.losses import hard_cross_entropy, kl_divergence, logits_mse, regression_mse
from raykd.methods import takd
from raykd.methods.method import Link
from raykd.methods.seen import LOGITS
from raykd.methods.takd import TAKDParameters
from tests.methods.steps import CLASSES, Stand, pair


def links(teacher: int, student: int, assistants: str = "auto") -> list[Link]:
    return list(takd.METHOD.links(TAKDParameters(assistants=assistants), pair(teacher, student)))


@pytest.mark.parametrize(("answers", "shrink"), [("classes", CLASSES), ("span", 1), ("number", 1)])
def test_the_sum_by_hand(answers: Any, shrink: int) -> None:
    networks = pair(4, 2, answers=answers)
    parameters = TAKDParameters(lambda_kd=0.3, temperature=5.0)
    for link in takd.chain(parameters, networks):
        scene, recipe = Stand(networks), link.recipe(networks)
        step = scene.step(recipe)
        total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)
        own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
        if answers == "number":
            hard, soft = regression_mse(own, step.labels), logits_mse(own, told)
        else:
            hard, soft = hard_cross_entropy(own, step.labels), kl_divergence(own, told, 5.0) / shrink
        assert total == pytest.approx(0.7 * hard.item() + 0.3 * soft.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("teacher", "student", "between"), [(12, 6, 9), (12, 3, 7), (12, 10, 11), (4, 2, 3), (24, 6, 15)]
)
def test_by_default_one_stands_half_way(teacher: int, student: int, between: int) -> None:
    assistant, last = links(teacher, student)
    assert (assistant.learner, assistant.taught_by) == (f"cut:{between}", "previous")
    assert (last.learner, last.taught_by) == ("student", "previous")


@pytest.mark.parametrize(
    ("teacher", "student", "said"),
    [
        (12, 11, "give a student of 1 to 10 layers, or name the assistants"),
        (12, 12, "give a student of 1 to 10 layers"),
        (12, 13, "the student's 13 and the teacher's 12"),
        (2, 1, "2; name the assistants"),
    ],
)
def test_where_nobody_stands_between(teacher: int, student: int, said: str) -> None:
    with pytest.raises(UserError) as caught:
        links(teacher, student)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "learners"),
    [
        ("cut:9", ["cut:9"]),
        ("cut:9 + cut:6", ["cut:9", "cut:6"]),
        ("cut:10+build:6/256/8+cut:2,4,6,12", ["cut:10", "build:6/256/8", "cut:2,4,6,12"]),
        ("cut:12+cut:4", ["cut:12", "cut:4"]),
        ("some/model", ["some/model"]),
    ],
)
def test_named_assistants_in_their_order(text: str, learners: list[str]) -> None:
    *assistants, last = links(12, 4, text)
    assert [link.learner for link in assistants] == learners
    assert last.learner == "student"
    assert len({link.name for link in (*assistants, last)}) == len(learners) + 1


def test_all_that_do_not_stand_between_are_named() -> None:
    with pytest.raises(UserError) as caught:
        links(12, 4, "cut:13+cut:6+cut:9+cut:3++teacher")
    deep, order, shallow, empty, taken = caught.value.problems
    assert "'cut:13' has 13 layers; allowed: 4 (the student) to 12 (the teacher)" in deep
    assert "'cut:9' has 9 layers; allowed: 4 (the student) to 6 (the one before it)" in order
    assert "'cut:3' has 3 layers" in shallow
    assert "'' is not understood" in empty
    assert "'teacher'" in taken


def test_an_assistant_of_a_depth_unknown_before_is_judged_when_it_is_known() -> None:
    assistant, last = links(12, 4, "some/model")
    with pytest.raises(UserError, match="14 layers would learn from one that has 12"):
        assistant.recipe(pair(12, 14))
    with pytest.raises(UserError, match="4 layers would learn from one that has 3"):
        last.recipe(pair(3, 4))
