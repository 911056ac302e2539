"""Tree distillation as a recipe, against the reference values of its objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from raykd.methods.method import Pair
from raykd.methods.recipe import Stage, Step
from raykd.methods.seen import LOGITS, Need, Seen
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.methods.test_tkd import made, total


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "tkd" / "tree.npz") as arrays:
        return dict(arrays)


def step_of(arrays: dict[str, np.ndarray]) -> tuple[Pair, Step]:
    """The networks and the batch of the reference file."""
    sides: dict[str, Seen] = {}
    shapes: dict[str, Shape] = {}
    for side in ("student", "teacher"):
        hidden, maps = (torch.from_numpy(arrays[f"in_{kind}_{side}"]) for kind in ("hid", "att"))
        answers = {LOGITS: torch.from_numpy(arrays[f"in_{side}_logits"])}
        for layer in range(1, len(hidden)):
            answers[Need("hidden", layer)], answers[Need("cls", layer)] = hidden[layer], hidden[layer][:, 0]
            answers[Need("attention", layer)] = maps[layer - 1]
        sides[side], shapes[side] = Seen(answers), Shape(len(maps), hidden.shape[-1], maps.shape[2], 100)
    mask = torch.from_numpy(arrays["in_mask"]).long()
    batch = Batch(mask, mask, None, torch.from_numpy(arrays["in_labels"]).long(), torch.arange(len(mask)))
    step = Step(sides["student"], sides["teacher"], batch, 1.0, nn.ModuleDict(), {})
    return Pair(shapes["teacher"], shapes["student"]), step


@pytest.mark.parametrize(("name", "expected"), [("tkd", "out_tkd_recommended"), ("all_tkd", "out_all_tkd_recommended")])
def test_the_sum_of_the_reference(reference: dict[str, np.ndarray], name: str, expected: str) -> None:
    networks, step = step_of(reference)
    weights = {key: float(reference[f"par_{key}"]) for key in ("alpha", "beta", "gamma", "eta")}
    recipe = made(name, networks, temperature=float(reference["par_T"]), children=int(reference["par_m"]), **weights)
    assert total(recipe.stages[-1], step).item() == pytest.approx(float(reference[expected]), rel=1e-5)


@pytest.mark.parametrize("nodes", ["set", "multiset"])
def test_the_printed_sum_of_the_reference_by_the_batch(reference: dict[str, np.ndarray], nodes: str) -> None:
    networks, step = step_of(reference)
    weights = {key: float(reference[f"par_{key}"]) for key in ("alpha", "beta", "gamma")}
    draw = {"temperature": 1.0, "children": int(reference["par_m"]), "reduction": "sum", "nodes": nodes}
    found = total(made("tkd", networks, **draw, **weights).stages[-1], step) * len(step.labels)
    expected = float(reference["out_tkd_literal_sum"])
    if nodes == "multiset":
        expected += weights["gamma"] * float(reference["out_td_tree_sum"] - reference["out_td_set_sum"])
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("teacher_tkd", ("out_teacher_td_set_elementmean",)),
        ("ts_tkd", ("out_td_set_elementmean", "out_teacher_td_set_elementmean")),
        ("all_kd", ("out_all_token_elementmean",)),
        ("all_ts_tkd", ("out_all_token_elementmean", "out_td_set_elementmean", "out_teacher_td_set_elementmean")),
    ],
)
def test_what_a_member_adds_in_the_reference(
    reference: dict[str, np.ndarray], name: str, keys: tuple[str, ...]
) -> None:
    networks, step = step_of(reference)
    draw = {"children": int(reference["par_m"]), "gamma": 1.0, "eta": 1.0}
    before, after = made(name, networks, **draw).stages
    added = total(Stage(terms=after.terms[len(before.terms) :]), step)
    assert added.item() == pytest.approx(sum(float(reference[key]) for key in keys), rel=1e-5)
