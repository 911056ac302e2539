"""Combinatorial distillation: both variants by hand, the published sets, the refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.losses import hard_cross_entropy, kl_divergence
from raykd.methods import ckd_combinatorial
from raykd.methods.ckd_combinatorial import CombinatorialParameters, EachItsOwn
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe
from raykd.methods.seen import LOGITS, Need
from tests.methods.steps import BATCH, MASK, Noting, Stand, layers, pair, terms

# Of 6 teacher and 2 student layers, counted from 1: the sets of the paper.
SETS = {
    "regular": [[1, 2, 3], [4, 5, 6]],
    "overlap": [[1, 2, 3, 4], [3, 4, 5, 6]],
    "skip": [[3], [6]],
    "skip_comb": [[1, 3, 5], [2, 4, 6]],
    "cross": [[1, 3], [4, 6]],
    "skip_middle": [[1, 2], [5, 6]],
}


def made(networks: Pair, **draw: Any) -> Recipe:
    return ckd_combinatorial.recipe(CombinatorialParameters.model_validate(draw), networks)


def maps(module: nn.Module) -> nn.ModuleList:
    assert isinstance(module, EachItsOwn)
    return module.maps


def states(of: Noting, kind: Any, layer: int) -> Tensor:
    return of.answers[Need(kind, layer)]


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


@pytest.mark.parametrize("hidden", [(24, 16), (16, 16)])
@pytest.mark.parametrize("combination", SETS)
def test_the_code_by_hand(combination: str, hidden: tuple[int, int]) -> None:
    networks = pair(6, 2, hidden=hidden)
    scene, recipe = Stand(networks), made(networks, combination=combination)
    step = scene.step(recipe)
    expected, tokens = 0.0, 0
    for sample in range(BATCH):
        for place in range(int(MASK[sample].sum())):
            tokens += 1
            for number, chosen in enumerate(SETS[combination]):
                own = maps(step.extras["projection"])[number](
                    states(scene.student, "hidden", number + 1)[sample, place]
                )
                told = torch.cat([states(scene.teacher, "hidden", layer)[sample, place] for layer in chosen])
                assert own.shape == told.shape
                expected += (unit(own) - unit(told)).square().sum().item()
    assert terms(recipe)["combination"].loss(step).item() == pytest.approx(expected / tokens, rel=1e-5)


@pytest.mark.parametrize("combination", SETS)
def test_the_paper_by_hand(combination: str) -> None:
    networks = pair(6, 2)
    scene, recipe = Stand(networks), made(networks, variant="paper", combination=combination)
    step = scene.step(recipe)
    expected = 0.0
    for sample in range(BATCH):
        for number, chosen in enumerate(SETS[combination]):
            told = torch.cat([states(scene.teacher, "cls", layer)[sample] for layer in chosen])
            own = states(scene.student, "cls", number + 1)[sample]
            expected += (own - maps(step.extras["projection"])[number](told)).square().mean().item()
    assert terms(recipe)["combination"].loss(step).item() == pytest.approx(expected / BATCH, rel=1e-5)


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_the_weights(variant: str) -> None:
    networks = pair(6, 2)
    scene, recipe = Stand(networks), made(networks, variant=variant, alpha=0.25, beta=0.125, temperature=2.0)
    step = scene.step(recipe)
    by_name = terms(recipe)
    total = sum(term.weight * term.loss(step).item() for term in recipe.stages[0].active)
    own, told = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = 0.625 * hard_cross_entropy(own, step.labels) + 0.25 * kl_divergence(own, told, 2.0)
    assert total == pytest.approx(expected.item() + 0.125 * by_name["combination"].loss(step).item(), rel=1e-5)


@pytest.mark.parametrize(("variant", "kind"), [("code", "hidden"), ("paper", "cls")])
def test_what_is_asked(variant: str, kind: str) -> None:
    whole, skipping = (
        terms(made(pair(6, 2), variant=variant, combination=name))["combination"] for name in ("regular", "skip")
    )
    assert (layers(whole.student), layers(whole.teacher)) == ((1, 2), (1, 2, 3, 4, 5, 6))
    assert layers(skipping.teacher) == (3, 6)
    assert {need.kind for need in whole.student | whole.teacher} == {kind}


@pytest.mark.parametrize(("variant", "shape"), [("code", (16, 72)), ("paper", (72, 16))])
def test_who_is_projected(variant: str, shape: tuple[int, int]) -> None:
    networks = pair(6, 2)
    step = Stand(networks).step(recipe := made(networks, variant=variant))
    terms(recipe)["combination"].loss(step).backward()
    both = maps(step.extras["projection"])
    assert len(both) == 2
    for one in both:
        assert isinstance(one, nn.Linear)
        assert (one.in_features, one.out_features) == shape
        assert one.weight.grad is not None
        assert one.weight.grad.abs().max() > 0


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_nothing_is_projected_between_equal_widths(variant: str) -> None:
    networks = pair(6, 2, hidden=(16, 16))
    step = Stand(networks).step(made(networks, variant=variant, combination="skip"))
    assert all(isinstance(one, nn.Identity) for one in maps(step.extras["projection"]))


def test_padding_does_not_count_in_the_code() -> None:
    networks = pair(6, 2)
    scene, recipe = Stand(networks), made(networks)
    term, step = terms(recipe)["combination"], scene.step(recipe)
    before = term.loss(step).item()
    with torch.no_grad():
        for of in (scene.student, scene.teacher):
            for need, answer in of.answers.items():
                if need.kind == "hidden":
                    answer[MASK == 0] = float("nan")
    assert term.loss(scene.step(recipe)).item() == pytest.approx(before, rel=1e-6)


def test_impossible_depths_and_weights_are_refused_together() -> None:
    with pytest.raises(UserError) as caught:
        made(pair(12, 6), combination="cross", alpha=0.9, beta=0.3)
    weights, depths = caught.value.problems
    assert "alpha 0.9, beta 0.3" in weights
    assert "1 or less" in weights
    assert "'cross'" in depths
    assert "it takes a student of 4 layers" in depths
    assert "regular, overlap, skip, skip_comb" in depths
    with pytest.raises(UserError, match=r"a student of 1, 2, 3, 4, 6, 12 layers, and these two take no combination"):
        made(pair(12, 5))
    with pytest.raises(UserError, match=r"it takes no student, and these two take regular"):
        made(pair(4, 2), combination="skip_middle")


def test_weights_that_make_one_leave_the_labels_out() -> None:
    [stage] = made(pair(6, 2), alpha=0.7, beta=0.3).stages
    assert [term.name for term in stage.active] == ["soft", "combination"]
