"""MiniLM and MiniLMv2: which relations of which layer, with how many heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from raykd import losses
from raykd.errors import UserError
from raykd.methods import METHODS, minilm
from raykd.methods.method import Pair
from raykd.methods.minilm import MiniLMParameters, MiniLMv2Parameters
from raykd.methods.recipe import Recipe
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import MASK, Stand, layers, pair, terms

RELATIONS: dict[str, tuple[tuple[Any, Any], ...]] = {
    "minilm": (("query", "key"), ("value", "value")),
    "minilmv2": (("query", "query"), ("key", "key"), ("value", "value")),
}


def recipe_of(name: str, networks: Pair, **draw: Any) -> Recipe:
    return METHODS[name].recipe(METHODS[name].parameters.model_validate(draw), networks)


def heads_of(states: Tensor, number: int, heads: int) -> list[Tensor]:
    """One sample's real tokens, head by head."""
    return list(states[number, : int(MASK[number].sum())].chunk(heads, dim=-1))


def by_hand(scene: Stand, name: str, heads: int, at_teacher: int) -> float:
    total = 0.0
    for x, y in RELATIONS[name]:
        for number in range(len(MASK)):
            sides = []
            for states, layer in ((scene.student.answers, 2), (scene.teacher.answers, at_teacher)):
                split = [heads_of(states[Need(kind, layer)], number, heads) for kind in (x, y)]
                sides.append([(a @ b.T / a.shape[-1] ** 0.5).softmax(-1) for a, b in zip(*split, strict=True)])
            for student, teacher in zip(*sides, strict=True):
                each = (teacher * (teacher / student).log()).sum(-1).mean()
                total += each.item() / heads / len(MASK)
    return total


@pytest.mark.parametrize(
    ("name", "heads", "draw"),
    [
        ("minilm", 4, {}),
        ("minilm", 4, {"teacher_layer": 3}),
        ("minilmv2", 1, {}),
        ("minilmv2", 2, {"relation_heads": 2}),
        ("minilmv2", 8, {"relation_heads": 8, "teacher_layer": 2}),
    ],
)
def test_the_relations_by_hand(name: str, heads: int, draw: dict[str, Any]) -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(name, networks, **draw)
    expected = by_hand(scene, name, heads, draw.get("teacher_layer", 4))
    assert terms(recipe)["relations"].loss(scene.step(recipe)).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", RELATIONS)
def test_the_sum(name: str) -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(name, networks, alpha=0.6, temperature=3.0, relations=7.0)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)
    answer, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    task = 0.4 * losses.hard_cross_entropy(answer, step.labels) + 0.6 * losses.kl_divergence(answer, told, 3.0)
    expected = task.item() + 7 * by_hand(scene, name, 4 if name == "minilm" else 1, 4)
    assert total == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("name", "asked"), [("minilm", 0), ("minilmv2", 0), ("minilmv2", 19)])
def test_the_students_last_layer_learns_from_one_teacher_layer(name: str, asked: int) -> None:
    term = terms(recipe_of(name, pair(24, 6), teacher_layer=asked))["relations"]
    assert set(layers(term.student)) == {6}
    assert set(layers(term.teacher)) == {asked or 24}
    assert {need.kind for need in term.student} == {"query", "key", "value"}
    assert {(need.kind, need.letters, need.heads) for need in term.teacher} == {
        ("relation", x[0] + y[0], 4 if name == "minilm" else 1) for x, y in RELATIONS[name]
    }


@pytest.mark.parametrize(
    ("teacher", "student", "heads"), [(768, 384, 48), (1024, 768, 64), (768, 312, 24), (768, 768, 48), (24, 16, 1)]
)
def test_relation_heads_are_16_wide_in_the_teacher_or_the_nearest_fewer(teacher: int, student: int, heads: int) -> None:
    assert minilm.relation_heads(0, pair(4, 2, hidden=(teacher, student))) == heads


@pytest.mark.parametrize("name", RELATIONS)
def test_padding_does_not_count(name: str) -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(name, networks)
    loss = terms(recipe)["relations"].loss
    before = loss(scene.step(recipe)).item()
    with torch.no_grad():
        for states in (scene.student, scene.teacher):
            for need, answer in states.answers.items():
                if need.kind in ("query", "key", "value"):
                    answer[MASK == 0] = float("nan")
    assert loss(scene.step(recipe)).item() == before


def test_unequal_heads_are_refused_by_the_first_alone() -> None:
    networks = pair(4, 2)
    networks = replace(networks, student=replace(networks.student, heads=2))
    with pytest.raises(UserError) as caught:
        minilm.first(MiniLMParameters(teacher_layer=5), networks)
    assert len(caught.value.problems) == 2
    assert "the student needs 4" in caught.value.problems[0]
    assert caught.value.problems[1] == "teacher_layer: 5; the teacher has layers 1 to 4 (0 is the last)"
    assert terms(minilm.second(MiniLMv2Parameters(), networks))["relations"]


def test_relation_heads_that_do_not_divide_are_refused_with_those_that_do() -> None:
    with pytest.raises(UserError) as caught:
        minilm.second(MiniLMv2Parameters(relation_heads=3, teacher_layer=5), pair(4, 2))
    assert caught.value.problems == (
        "relation_heads: 3 does not divide both widths (student 16, teacher 24); allowed: 1, 2, 4, 8",
        "teacher_layer: 5; the teacher has layers 1 to 4 (0 is the last)",
    )
