"""LRC-BERT: the reference sums, its stages and variants, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from raykd import losses
from raykd.errors import UserError
from raykd.losses.cosine_contrast import softened_hard
from raykd.methods import lrc_bert
from raykd.methods.lrc_bert import LRCParameters
from raykd.methods.method import Answers, Pair
from raykd.methods.recipe import Recipe, Stage, Step
from raykd.methods.seen import LOGITS, Need, Seen
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.methods.steps import Stand, layers, pair


def made(networks: Pair, **draw: Any) -> Recipe:
    return lrc_bert.recipe(LRCParameters.model_validate(draw), networks)


def total(stage: Stage, step: Step) -> Tensor:
    return torch.stack([term.weight * term.loss(step) for term in stage.active]).sum()


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "lrc_bert" / "losses.npz") as arrays:
        return dict(arrays)


def step_of(arrays: dict[str, np.ndarray], answers: Answers = "classes") -> tuple[Pair, Step]:
    """The networks and the batch of the reference file."""
    sides: dict[str, Seen] = {}
    shapes: dict[str, Shape] = {}
    kind = "_logit_regression" if answers == "number" else "_logits"
    for side in ("student", "teacher"):
        hidden = torch.from_numpy(arrays[f"in_hid_{side}"])
        seen = {LOGITS: torch.from_numpy(arrays[f"in_{side}{kind}"])}
        for layer in range(1, len(hidden)):
            seen[Need("hidden", layer)], seen[Need("cls", layer)] = hidden[layer], hidden[layer][:, 0]
        sides[side], shapes[side] = Seen(seen), Shape(len(hidden) - 1, hidden.shape[-1], 2, 100)
    mask = torch.from_numpy(arrays["in_mask"]).long()
    labels = torch.from_numpy(arrays["in_labels" + ("_regression" if answers == "number" else "")])
    batch = Batch(mask, mask, None, labels, torch.arange(len(mask)))
    weight = torch.from_numpy(arrays["in_W"])
    linear = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
    linear.weight = nn.Parameter(weight.T.clone())
    extras = nn.ModuleDict({"projection": linear, "projection_1": linear, "projection_2": linear})
    step = Step(sides["student"], sides["teacher"], batch, 1.0, extras, {})
    return Pair(shapes["teacher"], shapes["student"], answers), step


@pytest.mark.parametrize(("hard", "key"), [("softened", "literal"), ("onehot", "onehot")])
def test_the_sums_of_the_reference(reference: dict[str, np.ndarray], hard: str, key: str) -> None:
    networks, step = step_of(reference)
    first, second = made(networks, tau=float(reference["par_tau"]), hard=hard).stages
    assert total(first, step).item() == pytest.approx(float(reference["out_total_stage1"]), rel=1e-6)
    assert total(second, step).item() == pytest.approx(float(reference[f"out_total_stage2_{key}"]), rel=1e-6)


@pytest.mark.parametrize("projection", ["shared", "per_layer"])
@pytest.mark.parametrize("view", ["flat", "token", "cls", "mean"])
def test_views_of_the_reference(reference: dict[str, np.ndarray], view: str, projection: str) -> None:
    networks, step = step_of(reference)
    [term] = made(networks, view=view, projection=projection, alpha=2.0).stages[0].active
    assert term.weight == 2.0
    assert term.loss(step).item() == pytest.approx(float(reference[f"out_cosnce_{view}"]), rel=1e-6)


def test_a_regression_takes_squared_errors(reference: dict[str, np.ndarray]) -> None:
    networks, step = step_of(reference, "number")
    _, soft, hard = made(networks).stages[1].active
    assert soft.loss(step).item() == pytest.approx(float(reference["out_soft_regression"]), rel=1e-6)
    assert hard.loss(step).item() == pytest.approx(float(reference["out_hard_regression"]), rel=1e-6)


def test_stages() -> None:
    recipe = made(pair(12, 4), alpha=2.0)
    first, second = recipe.stages
    assert [(term.name, term.weight) for term in first.active] == [("contrast", 2.0)]
    assert [(term.name, term.weight) for term in second.active] == [("contrast", 2.0), ("soft", 1.0), ("hard", 3.0)]
    assert (first.until, first.scored, second.until, second.scored) == (0.8, False, 1.0, True)
    assert first.perturb is not None
    assert second.perturb is not None
    assert [layers(needs) for needs in (first.student_needs(), first.teacher_needs())] == [(1, 2, 3, 4), (3, 6, 9, 12)]
    assert {need.kind for need in made(pair(12, 4), view="cls").stages[0].teacher_needs()} == {"cls"}
    assert all(stage.perturb is None for stage in made(pair(12, 4), perturb=False).stages)
    [only] = made(pair(12, 4), first=0.0).stages
    assert [term.name for term in only.active] == ["contrast", "soft", "hard"]
    assert only.scored


def test_projections() -> None:
    networks = pair(4, 2)
    scene = Stand(networks).scene()
    extras = made(networks).extras
    assert set(extras) == {"projection"}
    linear = extras["projection"](scene)
    assert [tuple(weight.shape) for weight in linear.parameters()] == [(24, 16)]
    assert set(made(networks, projection="per_layer").extras) == {"projection_1", "projection_2"}
    assert not made(networks, alpha=0.0, first=0.0).extras


@pytest.mark.parametrize("hard", ["softened", "onehot"])
def test_rows_without_a_label_have_no_part_in_the_hard_loss(hard: str) -> None:
    scene = Stand(pair(4, 2))
    recipe = made(scene.pair, hard=hard)
    term, step = recipe.stages[1].active[-1], scene.step(recipe)
    logits = scene.student.answers[LOGITS]
    step.batch.labels[1] = -100
    kept = [0, 2]
    loss = losses.hard_cross_entropy if hard == "onehot" else lambda s, y: softened_hard(s, y, 1.1)
    torch.testing.assert_close(term.loss(step), loss(logits[kept], step.labels[kept]))
    (gradient,) = torch.autograd.grad(term.loss(step), logits)
    assert not gradient[1].any()
    assert gradient[0].any()
    step.batch.labels[:] = -100
    assert term.loss(step).item() == 0
    assert not torch.autograd.grad(term.loss(step), logits)[0].any()


def test_a_span_learns_its_labels_as_they_are() -> None:
    scene = Stand(pair(4, 2, answers="span"))
    recipe = made(scene.pair)
    step = scene.step(recipe)
    expected = losses.hard_cross_entropy(scene.student.answers[LOGITS], step.labels)
    assert recipe.stages[1].active[-1].loss(step).item() == expected.item() < 100


@pytest.mark.parametrize(
    ("networks", "draw", "parts"),
    [
        (pair(2, 3), {}, ["a student of 1 to 2"]),
        (pair(4, 2), {"alpha": 0.0}, ["alpha above 0, or first 0"]),
        (pair(2, 3), {"alpha": 0.0, "beta": 0.0, "gamma": 0.0}, ["1 to 2", "all are 0", "first: 0.8"]),
    ],
)
def test_what_cannot_be_is_refused(networks: Pair, draw: dict[str, float], parts: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        made(networks, **draw)
    assert len(refused.value.problems) == len(parts)
    for part, problem in zip(parts, refused.value.problems, strict=True):
        assert part in problem
