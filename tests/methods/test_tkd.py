"""Tree distillation: each member's terms by hand, the stages, and the pairs it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.losses.tree import random_nodes, tree_counts, tree_nodes
from raykd.losses.tree_loss import all_tokens, tree_distillation
from raykd.methods import METHODS
from raykd.methods.method import Answers, Pair
from raykd.methods.recipe import Recipe, Stage, Step
from raykd.methods.seen import LOGITS, Kind, Need
from raykd.methods.tkd import FAMILY
from raykd.models.shape import Shape
from tests.methods.steps import Noting, Stand, layers, pair

AT = {"student": (1, 2, 3), "teacher": (2, 4, 6)}  # of 3 and 6 layers
WITH_TREE = [name for name, (_, trees, _) in FAMILY.items() if trees]


def made(name: str, networks: Pair, **draw: Any) -> Recipe:
    return METHODS[name].recipe(METHODS[name].parameters.model_validate(draw), networks)


def total(stage: Stage, step: Step) -> Tensor:
    return torch.stack([term.weight * term.loss(step) for term in stage.active]).sum()


def stand(name: str, answers: Answers = "classes", **draw: Any) -> tuple[Stand, Recipe]:
    networks = pair(6, 3, hidden=(16, 16), answers=answers)
    return Stand(networks), made(name, networks, **draw)


def stacked(network: Noting, kind: Kind, at: tuple[int, ...]) -> Tensor:
    return torch.stack([network.answers[Need(kind, layer)] for layer in at]).detach()


@pytest.mark.parametrize("reduction", ["elementmean", "sum"])
@pytest.mark.parametrize("name", FAMILY)
def test_what_a_member_adds_by_hand(name: str, reduction: Any) -> None:
    scene, recipe = stand(name, reduction=reduction, gamma=3.0, eta=5.0, nodes="multiset", children=3)
    step = scene.step(recipe)
    before, after = recipe.stages
    states = (stacked(scene.student, "hidden", AT["student"]), stacked(scene.teacher, "hidden", AT["teacher"]))
    _, trees, every = FAMILY[name]
    expected = torch.zeros(())
    for source in trees:
        if source == "random":
            torch.manual_seed(7)
            nodes = random_nodes(3, 4, step.attention_mask, 3)
        else:
            maps = stacked(scene.student if source == "student" else scene.teacher, "attention", AT[source])
            nodes = tree_counts(maps, step.attention_mask, 3)
        expected = expected + 3 * tree_distillation(*states, nodes, reduction=reduction)
    if every:
        expected = expected + 5 * all_tokens(*states, step.attention_mask, reduction=reduction)
    torch.manual_seed(7)
    added = total(Stage(terms=after.terms[len(before.terms) :]), step)
    divisor = 3 if reduction == "sum" else 1
    assert added.item() == pytest.approx(expected.item() / divisor, rel=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_stages_and_terms(name: str) -> None:
    _, recipe = stand(name)
    _, trees, every = FAMILY[name]
    names = {"student": "tree", "teacher": "teacher_tree", "random": "random_nodes"}
    later = [names[source] for source in trees] + ["all_tokens"] * every
    assert [[term.name for term in stage.active] for stage in recipe.stages] == [
        ["hard", "soft", "patience"],
        ["hard", "soft", "patience", *later],
    ]
    assert [stage.until for stage in recipe.stages] == [0.5, 1.0]
    assert all(stage.scored and not stage.anew for stage in recipe.stages)


@pytest.mark.parametrize("draw", [{"start": 0.0}, {"gamma": 0.0}])
def test_one_stage_where_two_would_be_the_same_or_the_first_is_none(draw: dict[str, Any]) -> None:
    [stage] = stand("tkd", **draw)[1].stages
    assert stage.until == 1.0


def test_alpha_weighs_the_hard_term_and_soft_targets_have_a_gradient_of_t_squared_kl() -> None:
    scene, recipe = stand("tkd", alpha=0.7, temperature=4.0, beta=0.0)
    hard, soft, _ = recipe.stages[0].terms
    assert (hard.weight, soft.weight) == (0.7, pytest.approx(0.3))
    logits, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS].detach()
    (found,) = torch.autograd.grad(soft.loss(scene.step(recipe)), logits)
    divergence = 16 * nn.functional.kl_div((logits / 4).log_softmax(-1), (told / 4).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(found, torch.autograd.grad(divergence, logits)[0])


@pytest.mark.parametrize("name", WITH_TREE)
def test_layers_and_maps(name: str) -> None:
    _, recipe = stand(name, beta=0.0)
    for term in recipe.stages[-1].terms[3:]:
        for side, needs in (("student", term.student), ("teacher", term.teacher)):
            asks = {need for need in needs if need.kind == "attention"}
            own = {"tree": "student", "teacher_tree": "teacher"}.get(term.name) == side
            assert layers(asks) == (AT[side] if own else ())
            assert layers(needs - asks) == AT[side]


def test_choosing_nodes_has_no_gradient() -> None:
    scene, recipe = stand("ts_tkd", start=0.0)
    total(recipe.stages[0], scene.step(recipe)).backward()
    for network in (scene.student, scene.teacher):
        assert all(answer.grad is None for need, answer in network.answers.items() if need.kind == "attention")


def test_random_nodes_are_drawn_anew() -> None:
    scene, recipe = stand("rand_tkd", start=0.0)
    term, step = recipe.stages[0].terms[-1], scene.step(recipe)
    assert len({term.loss(step).item() for _ in range(4)}) > 1


def test_sets_and_multisets_differ_where_parents_share_a_child() -> None:
    scene, _ = stand("tkd")
    maps, mask = stacked(scene.student, "attention", AT["student"]), scene.batch().attention_mask
    assert tree_counts(maps, mask, 2).sum() > tree_nodes(maps, mask, 2).sum()
    found = []
    for nodes in ("set", "multiset"):
        scene, recipe = stand("tkd", nodes=nodes)
        found.append(total(recipe.stages[-1], scene.step(recipe)).item())
    assert found[0] != found[1]


@pytest.mark.parametrize("answers", ["number", "span"])
def test_other_answers(answers: Answers) -> None:
    scene, recipe = stand("all_ts_tkd", answers)
    assert torch.isfinite(total(recipe.stages[-1], scene.step(recipe)))


def test_networks_that_differ_are_refused_with_what_would_do() -> None:
    teacher, student = Shape(2, 24, 4, 20), Shape(3, 16, 2, 20)
    with pytest.raises(UserError) as refused:
        made("tkd", Pair(teacher, student))
    text = " ".join(refused.value.problems)
    assert len(refused.value.problems) == 3
    for part in ("must be 24 wide", "needs 4", "a student of 1 to 2"):
        assert part in text
    assert len(made("all_kd", Pair(Shape(4, 16, 4, 20), Shape(2, 16, 2, 20))).stages) == 2  # no heads are compared
