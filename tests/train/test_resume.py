"""A run that dies and is started again ends bit for bit where it would have ended (on a CPU)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from raykd.methods.recipe import Recipe
from raykd.train.loop import Report
from tests.train.setting import TRAINING, Setting, same, timeless, weights
from tests.train.toys import two_stages

RECIPES: dict[str, Callable[[Setting], Recipe]] = {
    "kd": lambda setting: setting.recipe("kd"),
    "ckd": lambda setting: setting.recipe("ckd"),
    "two stages and a projection": lambda _: two_stages(until=0.6),
}


class Died(Exception):
    """A simulated crash."""


def die_at(evaluation: int) -> Callable[[Report], bool]:
    def report(done: Report) -> bool:
        if done.evaluation == evaluation:
            raise Died
        return True

    return report


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("crash", [2, 3, 4])  # of 4: the last is after the last step and before its checkpoint
def test_a_resumed_run_is_the_same_bit_for_bit(classes: Setting, tmp_path: Path, name: str, crash: int) -> None:
    recipe = RECIPES[name](classes)
    training = TRAINING.model_copy(update={"epochs": 1.5, "accumulation": 2})  # dropout is on
    whole = classes.student()
    expected = classes.run(recipe, tmp_path / "whole", whole, training=training, checkpoint_every=0.0)

    broken = classes.student()
    with pytest.raises(Died):
        classes.run(recipe, tmp_path / "twice", broken, training=training, report=die_at(crash), checkpoint_every=0.0)
    torch.manual_seed(1234)  # another process would be elsewhere
    resumed = classes.student()
    reports = classes.run(recipe, tmp_path / "twice", resumed, training=training, checkpoint_every=0.0)

    assert same(weights(resumed), weights(whole))
    # The report at which it died is repeated: it may not have arrived.
    assert [timeless(report) for report in reports] == [timeless(report) for report in expected[crash - 1 :]]


def test_seconds_go_on(classes: Setting, tmp_path: Path) -> None:
    with pytest.raises(Died):
        classes.run(classes.recipe("kd"), tmp_path, classes.student(), report=die_at(4), checkpoint_every=0.0)
    [last] = classes.run(classes.recipe("kd"), tmp_path, classes.student(), checkpoint_every=0.0)
    assert last.seconds > last.at - last.first_step  # more than this process has trained
