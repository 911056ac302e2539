"""A loss that is no longer a number ends the run at that step (scenario S9)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from raykd.methods.recipe import Recipe, Stage, Term
from raykd.train.finite import READ_EVERY, NonFiniteLoss, Watch
from tests.train.setting import TRAINING, Setting
from tests.train.toys import SEE_LOGITS, Goes


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_it_stops_at_once_and_says_where(classes: Setting, tmp_path: Path, bad: float) -> None:
    toy = Goes(bad, at=5)
    student = classes.student(dropout=0.0)
    with pytest.raises(NonFiniteLoss, match=rf"^loss is {bad} at step 5 of 12; last good value 0\.\d+$"):
        classes.run(toy.recipe(), tmp_path, student)
    assert toy.asked == 5
    assert all(torch.isfinite(weight).all() for weight in student.parameters())


def test_a_gradient_that_is_no_number_stops_it_too(classes: Setting, tmp_path: Path) -> None:
    term = Term("root", 1.0, lambda step: (step.student.logits.sum() * 0).sqrt(), student=SEE_LOGITS)
    with pytest.raises(NonFiniteLoss, match=r"^gradient norm is nan at step 1 of 12; last good value none yet$"):
        classes.run(Recipe(stages=(Stage(terms=(term,)),)), tmp_path, classes.student())


def test_one_micro_batch_is_enough(classes: Setting, tmp_path: Path) -> None:
    toy = Goes(math.nan, at=4)
    training = TRAINING.model_copy(update={"accumulation": 2})
    with pytest.raises(NonFiniteLoss, match="step 2 of 12"):
        classes.run(toy.recipe(), tmp_path, classes.student(), training=training)


def test_an_accelerator_is_read_now_and_then_and_the_step_still_named() -> None:
    losses = [0.7, 0.6, 0.5, math.nan, 0.4, math.nan]
    watch = Watch(11, 100, torch.device("cuda"))
    for loss in losses:
        watch.add(torch.tensor(loss), torch.tensor(1.0), read=False)  # raises nothing: nobody has looked
    with pytest.raises(NonFiniteLoss, match=r"^loss is nan at step 14 of 100; last good value 0\.5$"):
        watch.add(torch.tensor(0.3), torch.tensor(1.0), read=True)


def test_an_accelerator_is_read_every_50_steps_at_least() -> None:
    watch = Watch(1, 1_000, torch.device("cuda"))
    for step in range(1, 2 * READ_EVERY):
        watch.add(torch.tensor(math.nan if step >= READ_EVERY + 10 else 0.5), torch.tensor(1.0), read=False)
    with pytest.raises(NonFiniteLoss, match="step 60 of 1000"):
        watch.add(torch.tensor(math.nan), torch.tensor(1.0), read=False)
