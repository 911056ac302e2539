"""Feature structure distillation: the published sums, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from raykd import losses
from raykd.errors import UserError
from raykd.losses.centroids import (
    feature_to_centroid_cosine,
    feature_to_centroid_distance,
    flatten_features,
    memory_cka,
)
from raykd.losses.cka import fsd_intra, fsd_local
from raykd.methods import METHODS
from raykd.methods.fsd_memory import STUDENT_MEMORY, TEACHER_MEMORY, StudentMemory
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe, Step
from raykd.methods.seen import LOGITS, Need, Seen
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.methods.steps import LENGTH, Stand, layers, pair, terms

SHARES = {"structure_weight": 0.9, "global_share": 0.35, "distance_share": 0.25, "intra_share": 0.8}
GIVEN = {"alpha_hard": 0.3, "temperature": 2.0}


def recipe_of(name: str, networks: Pair, **parameters: Any) -> Recipe:
    method = METHODS[name]
    return method.recipe(method.parameters.model_validate(parameters), networks)


def total(recipe: Recipe, step: Step) -> Tensor:
    return torch.stack([term.weight * term.loss(step) for term in recipe.stages[0].active]).sum()


# The published training functions: raykd's name of the parameters that each letter is there.
LETTERS = {
    "fsd_i": {"beta": "structure_weight"},
    "fsd_l_penultimate": {"beta": "structure_weight"},
    "fsd_l_lastlayer": {"beta": "structure_weight"},
    "fsd_g": {"beta": "structure_weight", "gamma": "distance_share"},
    "fsd_ilg": dict(zip(("epsilon", "sigma", "beta", "gamma"), ("structure_weight", *list(SHARES)[1:]), strict=True)),
}
FIXED: dict[str, dict[str, Any]] = {"fsd_l_penultimate": {"layer": "penultimate"}, "fsd_l_lastlayer": {"layer": "last"}}
NAMES = {"fsd_l_penultimate": "fsd_l", "fsd_l_lastlayer": "fsd_l", "fsd_ilg": "fsd"}


@pytest.mark.parametrize("case", LETTERS)
def test_the_sum_of_the_published_code(shared: Path, case: str) -> None:
    files = sorted((shared / "golden" / "fsd").glob(f"total_{case}__*.npz"))
    assert files
    for file in files:
        expected = np.load(file)
        given = np.load(file.with_name(str(expected["inputs"])) if "inputs" in expected else file)
        leaves = {name: torch.tensor(given[name]).double() for name in given.files if given[name].dtype.kind == "f"}
        for name, leaf in leaves.items():
            leaf.requires_grad_(name.startswith("s_"))
        networks = Pair(
            Shape(12, leaves["t_penult"].shape[-1], 4, 20), Shape(6, leaves["s_penult"].shape[-1], 4, 20), "classes"
        )
        draw: dict[str, Any] = {own: float(expected[letter]) for letter, own in LETTERS[case].items()}
        draw |= {"alpha_hard": float(expected["alpha"]), "temperature": float(expected["T"]), "variant": "code"}
        recipe = recipe_of(NAMES.get(case, case), networks, **draw, **FIXED.get(case, {}))
        student, teacher = (
            Seen(
                {
                    LOGITS: leaves[f"{who}_logits"],
                    Need("hidden", depth - 1): leaves[f"{who}_penult"],
                    Need("hidden", depth): leaves[f"{who}_last"],
                }
            )
            for who, depth in (("s", 6), ("t", 12))
        )
        mask, labels = torch.tensor(given["attention_mask"]), torch.tensor(given["labels"])
        memory = StudentMemory(1, 1, 0.0).double()
        memory.centroids = nn.Parameter(leaves["s_memory"].detach())
        step = Step(
            student,
            teacher,
            Batch(torch.zeros_like(mask), mask, None, labels, torch.arange(len(labels))),
            0.5,
            nn.ModuleDict({STUDENT_MEMORY: memory}),
            {TEACHER_MEMORY: leaves["t_memory"]},
        )
        loss = total(recipe, step)
        loss.backward()
        assert loss.item() == pytest.approx(float(expected["loss"]), rel=1e-9)
        for name in expected.files:
            if name.startswith("grad_"):
                found = memory.centroids.grad if name == "grad_s_memory" else leaves[name.removeprefix("grad_")].grad
                assert found is not None
                largest = np.abs(expected[name]).max()
                np.testing.assert_allclose(found.numpy(), expected[name], rtol=1e-8, atol=1e-8 * largest)


def parts(scene: Stand, recipe: Recipe) -> dict[str, Tensor]:
    """The terms by hand, on a student of 2 layers and a teacher of 4."""
    step = scene.step(recipe)
    student, teacher = scene.student.answers[Need("hidden", 1)], scene.teacher.answers[Need("hidden", 3)]
    answer, told, mask = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS], step.attention_mask
    flat = flatten_features(student, mask, LENGTH), flatten_features(teacher, mask, LENGTH)
    found = {
        "hard": losses.hard_cross_entropy(answer, step.labels),
        "soft": losses.kl_divergence(answer, told, 2.0),
        "intra": fsd_intra(student, teacher, mask),
        "local": fsd_local(student, teacher, mask),
    }
    if STUDENT_MEMORY in step.extras:
        memories = step.extras[STUDENT_MEMORY](), step.facts[TEACHER_MEMORY]
        found["distance"] = feature_to_centroid_distance(*flat, *memories)
        found["cosine"] = feature_to_centroid_cosine(*flat, *memories)
        found["memory"] = memory_cka(*memories)
    return found


I_AND_L = {"intra": 0.9 * 0.325 * 0.8, "local": 0.9 * 0.325 * 0.2}
G = {"distance": 0.315 * 0.25, "cosine": 0.315 * 0.75, "memory": 0.315}


@pytest.mark.parametrize(
    ("name", "draw", "weights"),
    [
        ("fsd_i", {"structure_weight": 3}, {"intra": 3}),
        ("fsd_l", {"structure_weight": 3}, {"local": 3}),
        ("fsd_g", {"structure_weight": 3, "distance_share": 0.2}, {"distance": 0.6, "cosine": 2.4, "memory": 3}),
        ("fsd", SHARES, {**I_AND_L, **G}),
        ("fsd_lg", SHARES, {"local": I_AND_L["local"], **G}),
        ("fsd_ig", SHARES, {"intra": I_AND_L["intra"], **G}),
        ("fsd_il", SHARES, I_AND_L),
    ],
)
def test_the_sum_without_padding(name: str, draw: dict[str, float], weights: dict[str, float]) -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(name, networks, **GIVEN, **draw)
    assert {term.name: term.weight for term in recipe.stages[0].active} == pytest.approx(
        {"hard": 0.3, "soft": 0.7, **weights}
    )
    by_hand = parts(scene, recipe)
    expected = sum(weight * by_hand[part].item() for part, weight in {"hard": 0.3, "soft": 0.7, **weights}.items())
    assert total(recipe, scene.step(recipe)).item() == pytest.approx(expected, rel=1e-5)
    assert bool(recipe.facts) == bool(recipe.extras) == ("memory" in weights)


@pytest.mark.parametrize("name", ["fsd_i", "fsd_l", "fsd_g", "fsd"])
@pytest.mark.parametrize("variant", ["paper", "code"])
def test_padding_counts_in_the_code_alone(name: str, variant: str) -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(name, networks, variant=variant)
    before = total(recipe, scene.step(recipe)).item()
    padding = scene.step(recipe).attention_mask == 0
    with torch.no_grad():
        for need, answer in scene.student.answers.items():
            if need.kind == "hidden":
                answer[padding] += 10.0
    after = total(recipe, scene.step(recipe)).item()
    assert (after == pytest.approx(before, rel=1e-5)) == (variant == "paper")


def test_the_layers_that_are_compared() -> None:
    for name in ("fsd_i", "fsd_l", "fsd_g", "fsd"):
        found = terms(recipe_of(name, pair(12, 6)))
        for part in found.keys() - {"hard", "soft", "memory"}:
            assert (layers(found[part].student), layers(found[part].teacher)) == ((5,), (11,))
    last = terms(recipe_of("fsd_l", pair(12, 6), layer="last"))["local"]
    assert (layers(last.student), layers(last.teacher)) == ((6,), (12,))


@pytest.mark.parametrize("name", ["fsd_i", "fsd_l", "fsd_g", "fsd", "fsd_il"])
def test_a_network_of_one_layer_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"layers: the student has 1, .* give a student of 2 or more"):
        recipe_of(name, pair(4, 1))
    with pytest.raises(UserError) as caught:
        recipe_of(name, pair(1, 1))
    assert len(caught.value.problems) == 2
    assert recipe_of("fsd_l", pair(4, 1), layer="last")


def test_the_published_clustering_wants_three_epochs() -> None:
    draw = {"clustering": "published", "clustering_epochs": 2}
    with pytest.raises(UserError) as caught:
        recipe_of("fsd_g", pair(4, 1), **draw)
    assert len(caught.value.problems) == 2
    assert "give 3" in " ".join(caught.value.problems)
    assert recipe_of("fsd_g", pair(4, 2), clustering_epochs=1).facts
