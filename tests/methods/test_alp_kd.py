"""ALP-KD: the sum by hand, its blocks, its projection, its refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.losses import hard_cross_entropy, kl_divergence, logits_mse, regression_mse
from raykd.methods import alp_kd
from raykd.methods.alp_kd import ALPKDParameters
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe, Step
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import BATCH, Noting, Stand, layers, pair, terms

# The teacher layers (of 6) of each student layer (of 3), counted from 1.
BLOCKS = {
    "all": [[1, 2, 3, 4, 5, 6]] * 3,
    "no": [[1, 2], [3, 4], [5, 6]],
    "po": [[1, 2, 3], [2, 3, 4, 5], [4, 5, 6]],
}
WEIGHTS = {"beta": 0.3, "eta": 0.7, "lambda_alp": 2.0, "temperature": 3.0}


def made(networks: Pair, **draw: Any) -> Recipe:
    return alp_kd.recipe(ALPKDParameters.model_validate(draw), networks)


def cls(states: Noting, layer: int) -> Tensor:
    return states.answers[Need("cls", layer)]


def by_hand(scene: Stand, kind: str, project: nn.Module) -> float:
    """Sample by sample, layer by layer."""
    total = 0.0
    for sample in range(BATCH):
        for number, block in enumerate(BLOCKS[kind], start=1):
            own = project(cls(scene.student, number))[sample]
            told = torch.stack([cls(scene.teacher, layer)[sample] for layer in block])
            weights = torch.softmax(torch.stack([(own * one).sum() for one in told]), dim=0)
            target = sum(weight * one for weight, one in zip(weights, told, strict=True))
            total += (own - target).square().mean().item()
    return total / (BATCH * 3)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("width", [16, 24])
@pytest.mark.parametrize("answers", ["classes", "number"])
def test_the_sum_by_hand(kind: str, width: int, answers: Any) -> None:
    networks = pair(6, 3, answers=answers, hidden=(24, width))
    scene, recipe = Stand(networks), made(networks, kind=kind, **WEIGHTS)
    step = scene.step(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)
    own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    if answers == "number":
        hard, soft = regression_mse(own, step.labels), logits_mse(own, told)
    else:
        hard, soft = hard_cross_entropy(own, step.labels), kl_divergence(own, told, 3.0)
    project = step.extras["projection"] if width == 16 else nn.Identity()
    expected = 0.3 * hard.item() + 0.7 * soft.item() + 2.0 * by_hand(scene, kind, project)
    assert total == pytest.approx(expected, rel=1e-5)


def test_every_layer_is_asked_but_the_embeddings() -> None:
    term = terms(made(pair(12, 4)))["alp"]
    assert layers(term.student) == (1, 2, 3, 4)
    assert layers(term.teacher) == tuple(range(1, 13))
    assert {need.kind for need in term.student | term.teacher} == {"cls"}


def test_a_projection_is_there_for_unequal_widths_alone_and_learns() -> None:
    assert made(pair(4, 2, hidden=(16, 16))).extras == {}
    networks = pair(4, 2)
    step = Stand(networks).step(recipe := made(networks))
    projection = step.extras["projection"]
    assert isinstance(projection, nn.Linear)
    assert (projection.in_features, projection.out_features, projection.bias) == (16, 24, None)
    terms(recipe)["alp"].loss(step).backward()
    assert projection.weight.grad is not None
    assert projection.weight.grad.abs().max() > 0


@pytest.mark.parametrize("kind", ["no", "po"])
def test_blocks_want_depths_that_divide(kind: str) -> None:
    with pytest.raises(UserError) as caught:
        made(pair(12, 5), kind=kind)
    [problem] = caught.value.problems
    assert f"kind '{kind}'" in problem
    assert "12 teacher layers" in problem
    assert "5 student layers" in problem
    assert "1, 2, 3, 4, 6, 12 layers" in problem
    made(pair(12, 5), kind="all")


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as caught:
        made(pair(4, 3), kind="po", beta=0, eta=0, lambda_alp=0)
    assert len(caught.value.problems) == 2


def test_without_projection_weight_the_layers_are_not_asked() -> None:
    [stage] = made(pair(4, 2), lambda_alp=0).stages
    assert stage.teacher_needs() == {LOGITS}


def test_rows_without_label_still_learn_from_the_teacher() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), made(networks)
    step = unlabelled(scene.step(recipe))
    values = {name: term.loss(step).item() for name, term in terms(recipe).items()}
    assert values["hard"] == 0
    assert values["soft"] > 0
    assert values["alp"] > 0


def unlabelled(step: Step) -> Step:
    step.batch.labels.fill_(-100)
    return step
