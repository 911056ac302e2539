"""The triple loss, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from raykd import losses
from raykd.errors import UserError
from raykd.methods import distilbert
from raykd.methods.distilbert import DistilBERTParameters
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import MASK, Stand, layers, pair, terms

WIDTH = 16


def test_the_sum_with_the_published_weights() -> None:
    networks = pair(4, 2, hidden=(WIDTH, WIDTH))
    scene, recipe = Stand(networks), distilbert.recipe(DistilBERTParameters(), networks)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)

    answer, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    states = scene.student.answers[Need("hidden", 2)], scene.teacher.answers[Need("hidden", 4)]
    cosine = 1 - F.cosine_similarity(*states, dim=-1)[MASK.bool()].mean()
    soft, hard = losses.kl_divergence(answer, told, 2.0), losses.hard_cross_entropy(answer, step.labels)
    assert total == pytest.approx((5 * soft + 2 * hard + cosine).item(), rel=1e-5)


def test_the_last_layers_are_compared_whatever_the_depths() -> None:
    for teacher, student in ((12, 6), (4, 6), (6, 6)):
        recipe = distilbert.recipe(DistilBERTParameters(), pair(teacher, student, hidden=(WIDTH, WIDTH)))
        cosine = terms(recipe)["cosine"]
        assert (layers(cosine.teacher), layers(cosine.student)) == ((teacher,), (student,))


def test_padding_does_not_count() -> None:
    networks = pair(4, 2, hidden=(WIDTH, WIDTH))
    scene, recipe = Stand(networks), distilbert.recipe(DistilBERTParameters(), networks)
    cosine = terms(recipe)["cosine"].loss
    before = cosine(scene.step(recipe)).item()
    with torch.no_grad():
        scene.student.answers[Need("hidden", 2)][MASK == 0] += 100.0
        scene.teacher.answers[Need("hidden", 4)][MASK == 0] = float("nan")
    assert cosine(scene.step(recipe)).item() == before


@pytest.mark.parametrize(("weight", "term"), [("alpha_ce", "soft"), ("alpha_hard", "hard"), ("alpha_cos", "cosine")])
def test_each_weight_weighs_its_term(weight: str, term: str) -> None:
    draw: dict[str, Any] = {"alpha_ce": 0.0, "alpha_hard": 1e-9, "alpha_cos": 0.0, weight: 0.5}
    recipe = distilbert.recipe(DistilBERTParameters(**draw), pair(4, 2, hidden=(WIDTH, WIDTH)))
    assert [(one.name, one.weight) for one in recipe.stages[0].active if one.weight > 1e-9] == [(term, 0.5)]


def test_a_pair_of_two_widths_and_no_weight_are_refused_together() -> None:
    nothing = DistilBERTParameters(alpha_ce=0, alpha_hard=0, alpha_cos=1)  # no answer would be learned
    with pytest.raises(UserError) as caught:
        distilbert.recipe(nothing, pair(4, 2))
    assert caught.value.problems[0].startswith("alpha_ce, alpha_hard: all are 0")
    assert "the student must be 24 wide" in caught.value.problems[1]
