"""A few steps of a trial on a few of its rows: the rows are real ones, the seconds are of the right parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raykd.search.timing import some_rows, time_trial, typical
from raykd.train.batches import plan_epoch
from raykd.train.config import TrialSpec
from tests.train.setting import TRAINING, Setting


def test_some_rows_are_what_they_were(classes: Setting, tmp_path: Path) -> None:
    whole = classes.split("train")
    some = some_rows(whole, np.arange(3, 13), tmp_path / "some")
    assert len(some) == 10
    known = {(tuple(whole.batch([row]).input_ids[0].tolist()), int(whole.labels[row])) for row in range(len(whole))}
    for row in range(10):
        assert (tuple(some.batch([row]).input_ids[0].tolist()), int(some.labels[row])) in known


@pytest.mark.parametrize("rows", [40, 500, 9000])
def test_batches_that_are_timed_are_padded_as_those_of_an_epoch(rows: int) -> None:
    lengths = np.random.default_rng(1).lognormal(3, 0.6, rows).astype(int) + 2
    some = typical(lengths, 16)
    assert len(some) == len(set(some)) <= 64
    every, few = plan_epoch(lengths, 16, seed=5, epoch=0), plan_epoch(lengths[some], 16, seed=5, epoch=0)
    long = np.mean([lengths[batch].max() for batch in every]), np.mean([lengths[some][batch].max() for batch in few])
    assert long[1] == pytest.approx(long[0], rel=0.1)


def test_fewer_rows_than_are_timed_are_all_taken() -> None:
    assert sorted(typical(np.array([5, 9, 7]), 2)) == [0, 1, 2]


def test_a_trial_is_timed(classes: Setting, tmp_path: Path) -> None:
    folder = str(classes.folder / "teacher")
    dev = {"select": str(classes.folder / "dev"), "dev": str(classes.folder / "dev")}
    spec = TrialSpec(
        label="timed", folder="", task=classes.task, train=str(classes.folder / "train"), dev=dev, teacher=folder,
        student="cut:2", origin=folder, method="ckd", training=TRAINING,
    )  # fmt: skip
    pace = time_trial(spec, asked=0.0)
    assert (pace.method, pace.batch) == ("ckd", TRAINING.batch_size)
    assert pace.begin > 1e9
    assert 0 < pace.step < 5
    assert 0 < pace.row < 1
    assert 0 < pace.teacher < 1
    assert 0 < pace.start < 60
