"""A run that is asked to leave writes a checkpoint of that very step, and ends as if it had never left (S4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from raykd.train.checkpoint import latest, load
from raykd.train.finite import NonFiniteLoss, Watch
from raykd.train.keeper import Keeper
from raykd.train.leave import GROUP_ASKS, Leaving, Preempted
from raykd.train.loop import Report
from raykd.train.state import Position
from raykd.train.tally import Tally
from raykd.train.world import World
from tests.train.setting import TRAINING, Setting, furthest, same, timeless, weights
from tests.train.test_checkpoint import trained
from tests.train.test_resume import RECIPES

HALVES = TRAINING.model_copy(update={"accumulation": 2})  # 12 steps, 6 an epoch, 4 reports; dropout is on


def before(step: int) -> Callable[[], bool]:
    """An answer that turns True before 0-based `step`."""
    asked = iter(range(1_000))
    return lambda: next(asked) >= step


@pytest.fixture(scope="module")
def wholes(
    classes: Setting, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, Any], list[Report]]]:
    """Weights and reports of runs that nobody disturbed."""
    ends = {}
    for name, recipe in RECIPES.items():
        student = classes.student()
        reports = classes.run(recipe(classes), tmp_path_factory.mktemp("whole"), student, training=HALVES)
        ends[name] = (weights(student), [timeless(report) for report in reports])
    return ends


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11])  # after a report is 3, the others lie between two
@pytest.mark.parametrize("name", RECIPES)
def test_it_goes_on_bit_for_bit_from_any_step(
    classes: Setting, tmp_path: Path, wholes: dict[str, tuple[dict[str, Any], list[Report]]], name: str, step: int
) -> None:
    recipe = RECIPES[name](classes)
    stood: list[int] = []

    def saved() -> None:
        found = latest(tmp_path)
        assert found is not None
        stood.append(load(found).about["step"])

    first: list[Report] = []

    def report(done: Report) -> bool:
        first.append(done)
        return True

    with pytest.raises(Preempted, match=f"^left before step {step + 1} of 12"):
        classes.run(
            recipe, tmp_path, classes.student(), training=HALVES, report=report, saved=saved, leave=before(step)
        )
    assert stood == [step]
    torch.manual_seed(1234)  # another process would be elsewhere
    student = classes.student()
    second = classes.run(recipe, tmp_path, student, training=HALVES)
    end, reports = wholes[name]
    assert same(weights(student), end)
    assert [timeless(report) for report in first + second] == reports  # the means too, over both parts


def test_it_may_leave_again_and_again(
    classes: Setting, tmp_path: Path, wholes: dict[str, tuple[dict[str, Any], list[Report]]]
) -> None:
    reports: list[Report] = []

    def report(done: Report) -> bool:
        reports.append(timeless(done))
        return True

    for _ in range(11):
        with pytest.raises(Preempted):
            classes.run(
                classes.recipe("kd"), tmp_path, classes.student(), training=HALVES, leave=before(1), report=report
            )
    student = classes.student()
    classes.run(classes.recipe("kd"), tmp_path, student, training=HALVES, report=report)
    assert (weights(student).keys(), reports) == (wholes["kd"][0].keys(), wholes["kd"][1])
    assert same(weights(student), wholes["kd"][0])


def test_before_anything_was_done_there_is_nothing_to_save(classes: Setting, tmp_path: Path) -> None:
    saved: list[int] = []
    for _ in range(2):
        with pytest.raises(Preempted, match="before step 1 of 12"):
            classes.run(
                classes.recipe("kd"),
                tmp_path / "run",
                classes.student(),
                leave=lambda: True,
                saved=lambda: saved.append(1),
            )
    assert not saved
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_made_its_last_step_ends_instead(classes: Setting, tmp_path: Path) -> None:
    reports = classes.run(classes.recipe("kd"), tmp_path, classes.student(), leave=before(12))
    assert reports[-1].progress == 1.0


def test_checkpoints_are_written_between_evaluations_too(classes: Setting, tmp_path: Path) -> None:
    saved: list[str] = []

    def note() -> None:
        found = latest(tmp_path)
        assert found is not None
        saved.append(found.name)

    one = TRAINING.model_copy(update={"evaluations": 1})
    classes.run(classes.recipe("none"), tmp_path, classes.student(), training=one, checkpoint_every=0.0, saved=note)
    assert saved == [f"checkpoint-{step:08d}" for step in range(1, 12)]  # none after the last step: it is reported


def test_a_checkpoint_that_takes_long_is_written_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("raykd.train.keeper.time.monotonic", lambda: now[0])
    module, optimizer = trained(1)

    def upload() -> None:
        now[0] += 5.0

    keeper = Keeper(tmp_path, module, [optimizer], Tally(), World(), every=30.0, saved=upload)
    now[0] += 29.0
    assert not keeper.due()
    now[0] += 1.0
    assert keeper.due()
    keeper.keep(Position(1, 0, 0.0))
    now[0] += 149.0
    assert not keeper.due()
    now[0] += 1.0
    assert keeper.due()


def test_half_the_micro_batch_goes_on_from_the_same_checkpoint(classes: Setting, tmp_path: Path) -> None:
    """S10: what is tried again after it ran out of memory."""
    whole, half = classes.student(dropout=0.0), classes.student(dropout=0.0)
    gentle = TRAINING.model_copy(update={"learning_rate": 5e-4})
    expected = classes.run(classes.recipe("kd"), tmp_path / "whole", whole, training=gentle)
    with pytest.raises(Preempted):
        classes.run(
            classes.recipe("kd"), tmp_path / "run", classes.student(dropout=0.0), training=gentle, leave=before(5)
        )
    split = gentle.model_copy(update={"accumulation": 2})
    reports = classes.run(classes.recipe("kd"), tmp_path / "run", half, training=split)
    assert furthest(weights(half), weights(whole)) < 2e-5
    assert [report.step for report in reports] == [6, 9, 12]
    loss = "train/loss"
    assert [r.metrics[loss] for r in reports] == pytest.approx([r.metrics[loss] for r in expected[1:]], rel=1e-4)


def test_nothing_bad_is_saved_unread() -> None:
    watch = Watch(1, 100, torch.device("cuda"))
    watch.read()
    watch.add(torch.tensor(float("nan")), torch.tensor(1.0), read=False)  # an accelerator is read now and then
    with pytest.raises(NonFiniteLoss, match="step 1 of 100"):
        watch.read()


def test_a_group_on_accelerators_asks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def anyone(_: World, flag: bool) -> bool:
        asked.append(flag)
        return flag

    monkeypatch.setattr(World, "anyone", anyone)
    for device, size, times in (("cuda", 2, 3), ("cpu", 2, 3 * GROUP_ASKS), ("cuda", 1, 3 * GROUP_ASKS)):
        asked.clear()
        leaving = Leaving(lambda: False, World(0, size), torch.device(device))
        assert not any(leaving.now(step) for step in range(3 * GROUP_ASKS))
        assert len(asked) == times
