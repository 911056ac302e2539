"""RKD, CC, SP, PKT: their sums, the vectors they compare, networks of unequal width."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd import losses
from raykd.losses.rkd import rkd_angle, rkd_distance
from raykd.losses.samples import cc, pkt, sp
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import MASK, Stand, pair, terms

NAMES = ("rkd", "cc", "sp", "pkt", "crd")
each = pytest.mark.parametrize("name", NAMES)


def recipe_of(name: str, networks: Pair, **draw: Any) -> Recipe:
    return METHODS[name].recipe(METHODS[name].parameters.model_validate(draw), networks)


def relation(name: str, student: Tensor, teacher: Tensor) -> Tensor:
    """The published weights."""
    if name == "rkd":
        return 25 * rkd_distance(student, teacher) + 50 * rkd_angle(student, teacher)
    weight, loss = {"cc": (0.02, cc), "sp": (3000.0, sp), "pkt": (30000.0, pkt)}[name]
    return weight * loss(student, teacher)


@pytest.mark.parametrize("name", ["rkd", "cc", "sp", "pkt"])
@pytest.mark.parametrize("feature", ["cls", "mean"])
def test_the_sum_by_hand(name: str, feature: str) -> None:
    networks = pair(4, 2, hidden=(16, 16))
    scene, recipe = Stand(networks), recipe_of(name, networks, feature=feature, alpha=0.25, temperature=3.0)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)

    if feature == "cls":
        vectors = [scene.student.answers[Need("cls", 2)], scene.teacher.answers[Need("cls", 4)]]
    else:
        states = [scene.student.answers[Need("hidden", 2)], scene.teacher.answers[Need("hidden", 4)]]
        lengths = MASK.sum(1).tolist()
        vectors = [torch.stack([row[:n].mean(0) for row, n in zip(of, lengths, strict=True)]) for of in states]
    answer, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = 0.75 * losses.hard_cross_entropy(answer, step.labels) + 0.25 * losses.kl_divergence(answer, told, 3.0)
    assert total == pytest.approx((expected + relation(name, *vectors)).item(), rel=1e-5)


@each
def test_by_default_the_relation_stands_in_for_the_soft_term(name: str) -> None:
    recipe = recipe_of(name, pair(4, 2))
    [stage] = recipe.stages
    assert stage.active[0].name == "hard"
    assert stage.active[0].weight == 1.0
    assert recipe.teacher_needs() == {Need("cls", 4)}
    assert stage.student_needs() == {LOGITS, Need("cls", 2)}


@each
def test_a_weight_of_zero_leaves_the_labels(name: str) -> None:
    draw = {"distance": 0.0, "angle": 0.0} if name == "rkd" else {name: 0.0}
    recipe = recipe_of(name, pair(4, 2), **draw)
    assert [term.name for term in recipe.stages[0].active] == ["hard"]
    assert not recipe.extras


def test_congruence_maps_a_narrower_student() -> None:
    assert not recipe_of("cc", pair(4, 2, hidden=(16, 16))).extras
    networks = pair(4, 2, hidden=(24, 16))
    scene, recipe = Stand(networks), recipe_of("cc", networks)
    step = scene.step(recipe)
    projection = step.extras["projection"]
    assert isinstance(projection, nn.Linear)
    assert (projection.in_features, projection.out_features, projection.bias) == (16, 24, None)
    loss = terms(recipe)["cc"].loss(step)
    mapped = scene.student.answers[Need("cls", 2)] @ projection.weight.T
    assert loss.item() == pytest.approx(cc(mapped, scene.teacher.answers[Need("cls", 4)]).item(), rel=1e-5)
    loss.backward()
    assert projection.weight.grad is not None
    assert projection.weight.grad.any()


def test_nearly_equal_samples_do_not_drown_in_rounding() -> None:
    """[CLS] vectors of a network lie close together: what PKT adds up is then far below what it adds it up from."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.randn(16, generator=generator)
    student, teacher = (centre + 0.03 * torch.randn(8, 16, generator=generator) for _ in range(2))
    exact = pkt(student.double(), teacher.double())
    assert 0 < exact < 1e-6
    assert pkt(student, teacher).item() == pytest.approx(exact.item(), rel=5e-3)
