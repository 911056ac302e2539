"""Every method learns the same from what is stored as from the teacher itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raykd.knowledge.fill import fill
from raykd.knowledge.forms import Facts, Precision
from raykd.knowledge.library import Library
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.methods import METHODS
from raykd.methods.recipe import Recipe
from raykd.train.loop import Report
from tests.train.conftest import classes
from tests.train.setting import Setting

__all__ = ["classes"]

CPU = torch.device("cpu")
TAUGHT = sorted(name for name, method in METHODS.items() if method.needs_teacher and method.chain is None)
# Of the loss, relative: what the numbers on disk are rounded by, and what a method makes of it.
WITHIN: dict[Precision, float] = {"float32": 1e-5, "float16": 5e-3}


def stored(setting: Setting, recipe: Recipe, root: Path, precision: Precision = "float32") -> Teacher:
    """The setting's teacher with everything stored that `recipe` asks of it, and no network behind it."""
    live, train = live_teacher(setting.teacher()), setting.split("train")
    library = Library(root, "teacher", train.key, precision)
    facts = Facts(live.shape.hidden, live.shape.heads, 2)
    needs = sorted(need for need in recipe.teacher_needs() if not need.padding)
    parts = [library.part(need, facts, train.lengths, rows_per_shard=40) for need in needs]
    for shard in range(len(parts[0]) if parts else 0):
        assert fill(parts, shard, live, train, CPU) == []

    def load() -> torch.nn.Module:
        raise AssertionError("the network was asked, though everything is stored")

    return Teacher(live.shape, load, Knowledge([part.folder for part in parts], train))


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("name", TAUGHT)
def test_a_step_of_every_method(classes: Setting, tmp_path: Path, name: str, precision: Precision) -> None:
    recipe = classes.recipe(name)
    if recipe.live or recipe.facts:
        pytest.skip("it asks the network itself")
    told, live = stored(classes, recipe, tmp_path, precision), live_teacher(classes.teacher())
    batch = classes.split("train").batch(range(3, 19))
    for stage in recipe.stages:
        losses, gradients = [], []
        for teacher in (live, told):
            torch.manual_seed(0)
            objective = classes.objective(recipe, classes.student(dropout=0.0))
            torch.manual_seed(1)
            loss = objective(batch, teacher.answer(batch, stage.teacher_needs()), stage, stage.until)[0]
            loss.backward()
            losses.append(loss)
            gradients.append(torch.cat([p.grad.flatten() for p in objective.parameters() if p.grad is not None]))
        torch.testing.assert_close(losses[1], losses[0], rtol=WITHIN[precision], atol=WITHIN[precision] * 0.1)
        difference = (gradients[1] - gradients[0]).norm() / gradients[0].norm().clamp_min(1e-12)
        assert difference < 20 * WITHIN[precision], stage.name


@pytest.mark.parametrize("name", ["kd", "ckd", "fsd_i", "pkd"])
def test_a_whole_run_has_the_same_curve(classes: Setting, tmp_path: Path, name: str) -> None:
    recipe = classes.recipe(name)

    def curve(teacher: Teacher, folder: str) -> list[Report]:
        return classes.run(recipe, tmp_path / folder, classes.student(), teacher=teacher)

    live = curve(live_teacher(classes.teacher()), "live")
    told = curve(stored(classes, recipe, tmp_path / "store"), "told")
    assert [report.score for report in told] == [report.score for report in live]
    for one, other in zip(told, live, strict=True):
        assert one.metrics["train/loss"] == pytest.approx(other.metrics["train/loss"], rel=1e-4)
