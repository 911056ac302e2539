"""Methods that ask the networks about more than the batch, run by the loop: they learn, and go on after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd.methods.recipe import Recipe, Scene, Step, Vocabulary
from raykd.models.tokenizer import load_tokenizer
from raykd.train.loop import Report
from raykd.train.scene import Around
from tests.train.setting import TRAINING, Setting, same, timeless, weights

SHORT = TRAINING.model_copy(update={"epochs": 20 / 6})  # 20 steps of 16 rows
FIERCE: dict[str, Any] = {"generator_learning_rate": 1e-3, "generator_turns": 2, "generator_cycle": 5}
RECIPES: dict[str, dict[str, Any]] = {
    "mate_kd": FIERCE,
    "combined_kd": {**FIERCE, "phase": 0.6, "tau_max": 4},
    "minimax_knn": {"neighbours": 4, "selected": 2},
}
each = pytest.mark.parametrize("name", RECIPES)


class Died(Exception):
    """A simulated crash."""


def die(done: Report) -> bool:
    if done.evaluation == 2:
        raise Died
    return True


def around(setting: Setting, **more: Any) -> Around:
    """The teacher's own folder is the origin, a fine-tuned classifier; the dev texts are the corpus."""
    tokenizer = load_tokenizer(setting.folder / "teacher")
    special = tuple(tokenizer.all_special_ids)
    vocabulary = Vocabulary(len(tokenizer), 0, tokenizer.mask_token_id, special)
    return Around(vocabulary, setting.folder / "teacher", setting.split("dev"), **more)


class Kept:
    """A recipe whose generator is kept, with its weights as it was made and as they were at each of its turns."""

    def __init__(self, recipe: Recipe) -> None:
        assert recipe.opponent is not None
        self.opponent = recipe.opponent
        self.turns: list[float] = []
        self.recipe = replace(recipe, opponent=replace(recipe.opponent, make=self.make, loss=self.loss))

    def make(self, scene: Scene) -> nn.Module:
        self.module = self.opponent.make(scene)
        self.before = weights(self.module)
        return self.module

    def loss(self, step: Step) -> Tensor:
        self.turns.append(round(step.progress * 20))
        loss = self.opponent.loss(step)
        assert step.live is not None
        assert loss.requires_grad
        return loss


@each
def test_the_student_learns(classes: Setting, tmp_path: Path, name: str) -> None:
    student, teacher = classes.student(), classes.teacher()
    before = weights(teacher)
    recipe = classes.recipe(name, **RECIPES[name])
    reports = classes.run(recipe, tmp_path, student, teacher=teacher, training=SHORT, around=around(classes))
    assert reports[-1].step == 20
    assert reports[-1].score > 0.8
    term = {"mate_kd": "adversarial", "combined_kd": "adversarial", "minimax_knn": "neighbours"}[name]
    assert [f"train/{term}" in report.metrics for report in reports] == [True] * 4 if name != "combined_kd" else [
        True, True, True, False
    ]  # fmt: skip
    assert same(weights(teacher), before)
    assert all(weight.grad is None for weight in teacher.parameters())


@pytest.mark.parametrize(
    ("name", "turns"), [("mate_kd", [1, 2, 6, 7, 11, 12, 16, 17]), ("combined_kd", [1, 2, 6, 7, 11, 12])]
)
def test_the_generator_learns_in_its_turns(classes: Setting, tmp_path: Path, name: str, turns: list[int]) -> None:
    kept = Kept(classes.recipe(name, **RECIPES[name]))
    classes.run(kept.recipe, tmp_path, classes.student(), training=SHORT, around=around(classes))
    assert kept.turns == turns
    after = weights(kept.module)
    moved = [key for key, weight in kept.before.items() if not torch.equal(weight, after[key])]
    assert len(moved) > 0.8 * len(after)
    assert all(torch.isfinite(weight).all() for weight in after.values())


def test_the_generator_raises_the_divergence(classes: Setting, tmp_path: Path) -> None:
    """Against a student that always answers yes and does not learn, it comes to write what the teacher answers no."""
    losses: list[float] = []
    fierce = {"generator_learning_rate": 1e-3, "generator_turns": 1, "generator_cycle": 1}
    recipe = classes.recipe("mate_kd", mask_probability=0.9, **fierce)
    assert recipe.opponent is not None
    opponent = recipe.opponent

    def noted(step: Step) -> Tensor:
        loss = opponent.loss(step)
        losses.append(loss.item())
        return loss

    yes = classes.student()
    with torch.no_grad():
        yes.get_parameter("classifier.weight").zero_()
        yes.get_parameter("classifier.bias").copy_(torch.tensor([0.0, 4.0]))
    still = SHORT.model_copy(update={"learning_rate": 1e-12, "epochs": 5.0, "evaluations": 1})
    recipe = replace(recipe, opponent=replace(opponent, loss=noted))
    classes.run(recipe, tmp_path, yes, training=still, around=around(classes))
    assert len(losses) == 30
    assert sum(losses[:5]) / 5 > -1.6
    assert sum(losses[-5:]) / 5 < -2.5  # 4 is the most there is


@each
def test_a_resumed_run_is_the_same_bit_for_bit(classes: Setting, tmp_path: Path, name: str) -> None:
    recipe = classes.recipe(name, **RECIPES[name])
    run: Callable[..., list[Report]] = classes.run
    options: dict[str, Any] = {"training": SHORT, "around": around(classes), "checkpoint_every": 0.0}
    whole, resumed = classes.student(), classes.student()
    for folder in ("whole", "twice"):
        (tmp_path / folder).mkdir()
    expected = run(recipe, tmp_path / "whole", whole, **options)
    with pytest.raises(Died):
        run(recipe, tmp_path / "twice", classes.student(), report=die, **options)
    torch.manual_seed(1234)  # another process would be elsewhere
    reports = run(recipe, tmp_path / "twice", resumed, **options)
    assert same(weights(resumed), weights(whole))
    assert [timeless(report) for report in reports] == [timeless(report) for report in expected[1:]]


def test_neighbours_are_kept_for_the_next_trial(classes: Setting, tmp_path: Path) -> None:
    recipe = classes.recipe("minimax_knn", **RECIPES["minimax_knn"])
    (tmp_path / "keep").mkdir()
    ends = []
    for trial in ("first", "second"):
        student = classes.student()
        beside = around(classes, keep=tmp_path / "keep", teacher="t")
        classes.run(recipe, tmp_path / trial, student, training=SHORT, around=beside)
        ends.append(weights(student))
    [_] = (tmp_path / "keep").glob("fact-*.safetensors")
    assert same(*ends)
