"""A few steps of a trial on a few of its rows: the rows are real ones, the seconds are of the right parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from raykd.search import timing
from raykd.search.timing import few_evaluated, some_rows, time_trial, typical
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.questions import Questions
from raykd.train.batches import by_length, plan_epoch
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.trial import run_trial
from tests.tasks.conftest import make_tokenizer
from tests.tasks.windowed import LETTERS, many
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


def test_few_rows_are_evaluated_and_a_slow_network_has_small_batches(
    classes: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a dry run short: neither the size of dev nor a slow network may make the timing long."""
    runs: list[TrialSpec] = []

    def record(spec: TrialSpec, report: Callable[[Report], bool]) -> object:
        runs.append(spec)
        return run_trial(spec, report)

    monkeypatch.setattr(timing, "run_trial", record)
    monkeypatch.setattr(timing, "EVALUATED", 8)
    monkeypatch.setattr(timing, "SLOW_S", 0.0)
    monkeypatch.setattr(timing, "VERY_SLOW_S", 0.0)
    folder = str(classes.folder / "teacher")
    dev = {name: str(classes.folder / "dev") for name in ("select", "dev")}
    spec = TrialSpec(
        label="timed", folder="", task=classes.task, train=str(classes.folder / "train"), dev=dev, teacher=folder,
        student="cut:2", origin=folder, method="kd", training=TRAINING,
    )  # fmt: skip
    seen: list[int] = []

    def few(split: Encoded, place: Path) -> Encoded:
        seen.append(len(rows := few_evaluated(split, place)))
        return rows

    monkeypatch.setattr(timing, "few_evaluated", few)
    pace = time_trial(spec, asked=0.0)
    assert seen == [8]
    assert [list(run.dev) for run in runs] == [["select"]] * 3  # load, look, time
    assert {run.training.batch_size for run in runs} == {TRAINING.batch_size // timing.SMALLER}
    assert pace.batch == TRAINING.batch_size
    assert pace.step > 0 < pace.row


def test_the_rows_that_are_evaluated_are_as_long_as_most(classes: Setting, tmp_path: Path) -> None:
    dev = Encoded.open(classes.folder / "dev")
    some = few_evaluated(dev, tmp_path / "some")
    assert len(some) == min(len(dev), timing.EVALUATED)
    whole = [dev.lengths[rows].max() for rows in by_length(dev.lengths, timing.EVALUATED)]
    assert some.lengths.max() == min(whole, key=lambda longest: abs(longest - np.mean(whole)))


def test_few_questions_are_whole(tmp_path: Path) -> None:
    split = many()
    coded = encode(split, make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path / "cache")
    some = few_evaluated(coded, tmp_path / "some")
    every, few = Questions.of(coded), Questions.of(some)
    assert len(few) == timing.EVALUATED < len(every)
    assert len(some) == (every.rows < len(few)).sum() > len(few)
    assert few.answers == every.answers[: len(few)]
    assert few.contexts == every.contexts[: len(few)]
    rows = range(len(some))
    assert torch.equal(some.batch(rows).input_ids, coded.batch(rows).input_ids)
    assert torch.equal(some.batch(rows).labels, coded.batch(rows).labels)
    assert [few.text(row, 3, 3) for row in rows] == [every.text(row, 3, 3) for row in rows]


@pytest.mark.parametrize("method", ["kd", "takd"])
def test_steps_are_timed_as_what_they_take(
    classes: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """By a clock that the batches move: a second a token of the longest row, of a chain in each of its links."""
    folder = str(classes.folder / "teacher")
    spec = TrialSpec(
        label="timed", folder="", task=classes.task, train=str(classes.folder / "train"),
        dev={"dev": str(classes.folder / "dev")}, teacher=folder, student="cut:1", origin=folder, method=method,
        training=TRAINING,
    )  # fmt: skip
    links = 2 if method == "takd" else 1
    seconds: list[float] = []

    def run(trial: TrialSpec, steps: int, place: Path) -> timing._Times:
        split = Encoded.open(Path(trial.train))
        size = trial.training.batch_size
        whole = 0.0
        for number in range(-(-steps // timing.BATCHES)):
            batches = plan_epoch(split.lengths, size, seed=number, epoch=0)
            whole += sum(float(split.lengths[rows].max()) for rows in batches[: steps - number * timing.BATCHES])
        seconds.append(whole / steps)
        return timing._Times(links * whole + 7, 3 + (links - 1) * whole, whole + 4)

    monkeypatch.setattr(timing, "_run", run)
    monkeypatch.setattr(timing, "_evaluating", lambda student, trial, split: 4 / len(split))
    monkeypatch.setattr(timing, "VERY_SLOW_S", 1e9)
    pace = time_trial(spec, asked=0.0)
    assert pace.step == pytest.approx(links * seconds[2])
    assert pace.row == pytest.approx(4 / min(timing.EVALUATED, len(Encoded.open(classes.folder / "dev"))))
