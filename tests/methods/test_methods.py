"""What holds of every method: true needs, checked parameters, a loss that trains the student and never the teacher."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raykd.errors import UserError
from raykd.methods import METHODS, find
from raykd.methods.method import Parameters
from raykd.methods.recipe import Recipe
from tests.methods.steps import Stand, pair

# Settings beside the defaults that give a method other terms.
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "kd": ({"alpha": 0.0}, {"alpha": 1.0}),
    "ckd": ({"variant": "code"}, {"lambda_ckd": 0.0}, {"lambda_relation": 0.0}, {"variant": "code", "word_pair": 0.0}),
}
DRAWS = [(name, draw) for name in METHODS for draw in ({}, *VARIANTS.get(name, ()))]
each_draw = pytest.mark.parametrize(("name", "draw"), DRAWS, ids=[f"{name}-{draw}" for name, draw in DRAWS])
each_task = pytest.mark.parametrize("regression", [False, True], ids=["classes", "number"])


def recipe_of(name: str, draw: dict[str, Any], *, regression: bool) -> tuple[Stand, Recipe]:
    method, networks = METHODS[name], pair(4, 2, answers="number" if regression else "classes")
    return Stand(networks), method.recipe(method.parameters.model_validate(draw), networks)


@each_task
@each_draw
def test_a_term_declares_what_it_uses_and_uses_what_it_declares(
    name: str, draw: dict[str, Any], regression: bool
) -> None:
    scene, recipe = recipe_of(name, draw, regression=regression)
    for stage in recipe.stages:
        assert stage.active
        for term in stage.terms:
            term.loss(scene.step(recipe))
            assert scene.student.taken == term.student, f"{term.name}: of the student"
            assert scene.teacher.taken == term.teacher, f"{term.name}: of the teacher"


@each_task
@each_draw
def test_a_term_is_a_finite_number_with_gradients_for_the_student_alone(
    name: str, draw: dict[str, Any], regression: bool
) -> None:
    scene, recipe = recipe_of(name, draw, regression=regression)
    for stage in recipe.stages:
        for term in stage.terms:
            loss = term.loss(scene.step(recipe))
            assert loss.shape == ()
            assert loss.dtype == torch.float32
            assert torch.isfinite(loss)
            assert loss > 0
            loss.backward()
        for answer in scene.teacher.answers.values():
            assert answer.grad is None
        used = [scene.student.answers[need] for term in stage.terms for need in term.student]
        assert all(answer.grad is not None and torch.isfinite(answer.grad).all() for answer in used)


@each_task
@each_draw
def test_stages_are_in_order_and_end_with_the_run(name: str, draw: dict[str, Any], regression: bool) -> None:
    _, recipe = recipe_of(name, draw, regression=regression)
    ends = [stage.until for stage in recipe.stages]
    assert ends == sorted(set(ends))
    assert ends[-1] == 1.0
    assert recipe.stages[-1].scored  # a sweep compares by the last report
    for stage in recipe.stages:
        names = [term.name for term in stage.terms]
        assert len(set(names)) == len(names)
        assert "loss" not in names  # the loop reports the sum by that name
        assert all(term.weight >= 0 for term in stage.terms)


@pytest.mark.parametrize("name", METHODS)
def test_whether_a_teacher_is_needed_is_what_the_terms_say(name: str) -> None:
    _, recipe = recipe_of(name, {}, regression=False)
    assert METHODS[name].needs_teacher == bool(recipe.teacher_needs() or recipe.live)


@pytest.mark.parametrize("name", METHODS)
def test_it_is_listed_under_its_own_name_with_its_source(name: str) -> None:
    method = METHODS[name]
    assert find(name) is method
    assert method.name == name
    assert method.title
    assert any(letter.isdigit() for letter in method.paper)  # a year
    assert issubclass(method.parameters, Parameters)
    assert all(field.description for field in method.parameters.model_fields.values())


def test_an_unknown_method_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown method 'kdd': did you mean 'kd'\? \(allowed: none, kd, ckd"):
        find("kdd")


@pytest.mark.parametrize("name", METHODS)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="lamda"):
        METHODS[name].parameters.model_validate({"lamda": 1.0})


BAD = [
    ("kd", {"temperature": 0}),
    ("kd", {"temperature": -1.0}),
    ("kd", {"temperature": float("inf")}),
    ("kd", {"temperature": float("nan")}),
    ("kd", {"alpha": 1.7}),
    ("kd", {"alpha": -0.1}),
    ("kd", {"alpha": float("nan")}),
    ("ckd", {"temperature": 0}),
    ("ckd", {"alpha": 1.7}),
    ("ckd", {"lambda_ckd": -1}),
    ("ckd", {"lambda_relation": -0.5}),
    ("ckd", {"word_angle": float("inf")}),
    ("ckd", {"delta": 0}),
    ("ckd", {"delta": 2.5}),
    ("ckd", {"variant": "article"}),
]


@pytest.mark.parametrize(("name", "bad"), BAD, ids=[f"{name}-{bad}" for name, bad in BAD])
def test_a_value_that_makes_no_sense_is_refused(name: str, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        METHODS[name].parameters.model_validate(bad)


@pytest.mark.parametrize("name", METHODS)
def test_all_that_is_wrong_is_said_at_once(name: str) -> None:
    numbers = [key for key, field in METHODS[name].parameters.model_fields.items() if field.annotation in (int, float)]
    given = dict.fromkeys([*numbers, "lamda"], float("inf"))
    with pytest.raises(ValidationError) as caught:
        METHODS[name].parameters.model_validate(given)
    assert {error["loc"][0] for error in caught.value.errors()} == given.keys()
