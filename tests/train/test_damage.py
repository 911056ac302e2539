"""A bit flips on the disk, or a file ends early: the checkpoint before is used, and the damage is named (S3)."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from raykd.train.checkpoint import latest, load, save
from raykd.train.leave import Preempted
from tests.train.setting import Setting, same, timeless, weights
from tests.train.test_checkpoint import state_at

FILES = ["state.json", "state.safetensors"]
PLACES = 20


def flip(file: Path, number: int) -> None:
    """Change one bit, at a place that depends on `number` alone."""
    content = bytearray(file.read_bytes())
    place = random.Random(number).randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    file.write_bytes(content)


def cut(file: Path, number: int) -> None:
    """Leave the first part only; nothing of it for number 0."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * number // PLACES])


def remove(file: Path, _: int) -> None:
    file.unlink()


@pytest.mark.parametrize("harm", [flip, cut, remove])
@pytest.mark.parametrize("name", FILES)
def test_the_one_before_is_used_and_the_damage_named(
    tmp_path: Path, name: str, harm: Callable[[Path, int], None], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1 if harm is remove else PLACES):
        folder = tmp_path / str(number)
        older, newest = save(folder, state_at(4)), save(folder, state_at(5))
        good = hashlib.sha256((newest / name).read_bytes()).hexdigest()
        harm(newest / name, number)
        bad = "" if harm is remove else hashlib.sha256((newest / name).read_bytes()).hexdigest()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert latest(folder) == older
        [said] = [record.getMessage() for record in caplog.records]
        assert f"{newest} is damaged: {name}" in said
        assert said.endswith("falling back to checkpoint-00000004")
        if name == "state.safetensors" and harm is not remove:
            assert good in said
            assert bad in said
        assert list(folder.iterdir()) == [older]
        assert load(older).about["step"] == 4


def test_with_none_whole_it_starts_over_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for step, name in zip((4, 5), FILES, strict=True):
        flip(save(tmp_path, state_at(step)) / name, 1)
    with caplog.at_level(logging.WARNING):
        assert latest(tmp_path) is None
    first, second = (record.getMessage() for record in caplog.records)
    assert "falling back to checkpoint-00000004" in first
    assert "none is left, the run starts from step 0" in second
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_without_a_seal_is_not_trusted(tmp_path: Path) -> None:
    place = save(tmp_path, state_at(4))
    (place / "state.json").write_text('{"step": 4, "evaluation": 1, "seconds": 0.0}')
    assert latest(tmp_path) is None


def test_a_run_whose_newest_is_damaged_ends_where_it_would_have(classes: Setting, tmp_path: Path) -> None:
    recipe, whole, again = classes.recipe("kd"), classes.student(), classes.student()
    expected = classes.run(recipe, tmp_path / "whole", whole)
    asked = iter(range(100))
    with pytest.raises(Preempted):
        classes.run(recipe, tmp_path / "run", classes.student(), checkpoint_every=0.0, leave=lambda: next(asked) == 8)
    newest = tmp_path / "run" / "checkpoint-00000008"
    flip(newest / "state.safetensors", 3)
    reports = classes.run(recipe, tmp_path / "run", again)
    assert not newest.exists()
    assert same(weights(again), weights(whole))
    assert [timeless(report) for report in reports] == [timeless(report) for report in expected[2:]]
