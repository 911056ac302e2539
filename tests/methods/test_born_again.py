"""Born-again networks: the sum by hand, and the line of generations."""

from __future__ import annotations

import math

import pytest

from raykd.losses.generations import born_again as published
from raykd.methods import born_again
from raykd.methods.born_again import METHOD, BornAgainParameters
from raykd.methods.seen import LOGITS
from tests.methods.steps import Stand, pair, terms


def test_the_sum_is_the_published_one_but_for_the_teachers_entropy() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), born_again.recipe(BornAgainParameters(), networks)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)
    own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    entropy = 0.0
    for row in told.tolist():
        whole = sum(math.exp(x) for x in row)
        entropy -= sum(math.exp(x) / whole * (x - math.log(whole)) for x in row)
    assert total == pytest.approx(published(own, told, step.labels).item() - entropy / len(told), rel=1e-5)


def test_alpha_weighs_the_teacher() -> None:
    by_name = terms(born_again.recipe(BornAgainParameters(alpha=2.0), pair(4, 2)))
    assert (by_name["hard"].weight, by_name["soft"].weight) == (1.0, 2.0)


@pytest.mark.parametrize("generations", [1, 3])
def test_each_learns_from_the_one_before(generations: int) -> None:
    links = METHOD.links(BornAgainParameters(generations=generations), pair(4, 2))
    assert [link.taught_by for link in links] == ["teacher", "previous", "previous"][:generations]
    assert {link.learner for link in links} == {"student"}
    assert len({link.name for link in links}) == generations  # seeds follow from names
    assert METHOD.ensemble
