"""Teacher-free distillation: the sums by hand, and who teaches whom."""

from __future__ import annotations

import math
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.losses import hard_cross_entropy, kl_divergence
from raykd.methods import METHODS
from raykd.methods.method import Link
from raykd.methods.recipe import Recipe
from raykd.methods.seen import LOGITS
from tests.methods.steps import CLASSES, Stand, pair


def recipe_of(name: str, **draw: Any) -> Recipe:
    method = METHODS[name]
    return method.recipe(method.parameters.model_validate(draw), pair(4, 2))


def links_of(name: str, **draw: Any) -> tuple[Link, ...]:
    method = METHODS[name]
    return method.links(method.parameters.model_validate(draw), pair(4, 2))


def total(scene: Stand, recipe: Recipe) -> float:
    step = scene.step(recipe)
    return sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)


def log_softmax(row: list[float]) -> list[float]:
    whole = math.log(sum(math.exp(x) for x in row))
    return [x - whole for x in row]


def rows(scene: Stand) -> list[tuple[list[float], int]]:
    """ln q and the label of every row."""
    logits = scene.student.answers[LOGITS].tolist()
    return list(zip(map(log_softmax, logits), scene.batch().labels.tolist(), strict=True))


@pytest.mark.parametrize("onto", ["every", "others"])
def test_label_smoothing_by_hand(onto: str) -> None:
    scene = Stand(pair(4, 2))
    expected = 0.0
    for log_q, label in rows(scene):
        moved = 0.2 / (CLASSES if onto == "every" else CLASSES - 1)
        for c, value in enumerate(log_q):
            mass = (0.8 + (moved if onto == "every" else 0)) if c == label else moved
            expected -= mass * value
    recipe = recipe_of("label_smoothing", smoothing=0.2, onto=onto)
    assert total(scene, recipe) == pytest.approx(expected / len(rows(scene)), rel=1e-5)


def test_the_virtual_teacher_by_hand() -> None:
    scene = Stand(pair(4, 2))
    expected = 0.0
    for log_q, label in rows(scene):
        u = [0.9 if c == label else 0.1 / (CLASSES - 1) for c in range(CLASSES)]
        log_p = log_softmax([x / 20 for x in u])
        divergence = sum(math.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True)) / CLASSES
        expected += 0.75 * -log_q[label] + 0.25 * 8 * divergence
    recipe = recipe_of("tf_reg", alpha=0.25, multiplier=8, temperature=20, correct_probability=0.9)
    assert total(scene, recipe) == pytest.approx(expected / len(rows(scene)), rel=1e-5)


@pytest.mark.parametrize(("name", "times"), [("self_kd", 10.0), ("reversed_kd", 1.0), ("defective_kd", 1.0)])
def test_the_second_run_by_hand(name: str, times: float) -> None:
    scene = Stand(pair(4, 2))
    draw = {"multiplier": times} if name == "self_kd" else {}
    recipe = recipe_of(name, alpha=0.25, temperature=6.0, **draw)
    step = scene.step(recipe)
    own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    soft = kl_divergence(own, told, 6.0, reduction="elementmean")
    expected = 0.75 * hard_cross_entropy(own, step.labels) + 0.25 * times * soft
    assert total(scene, recipe) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "learners"),
    [
        ("self_kd", ["student", "student"]),
        ("reversed_kd", ["student", "teacher"]),
        ("defective_kd", ["teacher", "student"]),
    ],
)
def test_who_teaches_whom(name: str, learners: list[str]) -> None:
    first, last = links_of(name)
    assert [first.learner, last.learner] == learners
    assert [first.taught_by, last.taught_by] == ["nobody", "previous"]
    [term] = first.recipe(pair(4, 2)).stages[0].active
    assert (term.name, term.weight) == ("hard", 1.0)


def test_the_defective_teacher_is_hardly_trained() -> None:
    first, last = links_of("defective_kd", teacher_epochs=0.25)
    assert (first.epochs, last.epochs) == (0.25, 1.0)


def test_the_fresh_student_has_another_start_than_the_first() -> None:
    first, last = links_of("self_kd")
    assert first.name != last.name  # the first one's seed follows from its name


@pytest.mark.parametrize("name", ["label_smoothing", "tf_reg"])
@pytest.mark.parametrize("answers", ["number", "span"])
def test_only_classes_can_be_smoothed(name: str, answers: Any) -> None:
    method = METHODS[name]
    with pytest.raises(UserError, match=f"it learns classes; this task's answer is of kind {answers}"):
        method.links(method.parameters(), pair(4, 2, answers=answers))


@pytest.mark.parametrize("name", ["label_smoothing", "tf_reg"])
def test_rows_without_label_teach_nothing(name: str) -> None:
    scene, recipe = Stand(pair(4, 2)), recipe_of(name)
    step = scene.step(recipe)
    step.batch.labels.fill_(-100)
    assert all(term.loss(step).item() == 0 for term in recipe.stages[0].active)
