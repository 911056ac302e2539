"""Answers travel as text without loss; what each row contributes to a metric is what leaving it out says."""

from __future__ import annotations

import base64
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.jackknife import METRICS, leave_one_out
from raykd.tasks.metrics import _METRICS
from raykd.tasks.predictions import answers_of, goodness, pack, pseudo_values, score_of, unpack
from raykd.train.config import TaskSpec
from raykd.train.evaluate import measure

from .conftest import make_tokenizer
from .windowed import LETTERS, many

TWO = TaskSpec(name="two", labels=("no", "yes"), metrics=("accuracy", "f1", "matthews"), primary="accuracy")
NUMBER = TaskSpec(name="number", labels=(), metrics=("pearson", "spearman"), primary="pearson")
SPAN = TaskSpec(name="span", labels=(), metrics=("f1", "exact_match"), primary="f1", kind="span")


def classes(count: int, primary: str = "accuracy") -> TaskSpec:
    names = tuple(str(number) for number in range(count))
    return TaskSpec(name="many", labels=names, metrics=("accuracy", primary), primary=primary)


def only(task: TaskSpec, primary: str) -> TaskSpec:
    return task.model_copy(update={"primary": primary})


def encoded(cache: Path, labels: tuple[int | float, ...], *, regression: bool = False) -> Encoded:
    texts = tuple((letter,) for letter in LETTERS[: len(labels)])
    return encode(Split(texts, labels), make_tokenizer(LETTERS), max_length=8, regression=regression, cache=cache)


def naive(metric: str, truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """The metric of scikit-learn and scipy, without one row after the other."""
    return np.array([_METRICS[metric](np.delete(truth, row), np.delete(said, row)) for row in range(len(truth))])


# --- what a model answered


def test_classes_are_the_highest_logits(tmp_path: Path) -> None:
    split = encoded(tmp_path, (1, 0, 1))
    logits = np.array([[0.1, 0.2], [3.0, -1.0], [0.5, 0.4]], dtype=np.float32)
    found = answers_of(TWO, logits, split)
    assert (found.dtype, found.tolist()) == (np.uint8, [1, 0, 0])
    assert score_of(TWO, found, split.labels) == measure(TWO, logits, split)["accuracy"] == 2 / 3
    assert goodness(TWO, found, split.labels).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("count", "dtype"), [(255, np.uint8), (256, np.uint16), (300, np.uint16)])
def test_many_classes_fit(count: int, dtype: type, tmp_path: Path) -> None:
    found = answers_of(classes(count), np.eye(count)[[count - 1, 3]], encoded(tmp_path, (0, 1)))
    assert (found.dtype, found.tolist()) == (dtype, [count - 1, 3])
    assert unpack(pack(found)).tolist() == [count - 1, 3]


def test_numbers_are_the_logits(tmp_path: Path) -> None:
    split = encoded(tmp_path, (0.5, 2.0, 4.0), regression=True)
    logits = np.array([[0.25], [2.5], [3.0]], dtype=np.float32)
    found = answers_of(NUMBER, logits, split)
    assert (found.dtype, found.shape) == (np.float32, (3,))
    assert goodness(NUMBER, found, split.labels).tolist() == [-0.0625, -0.25, -1.0]
    for metric, value in measure(NUMBER, logits, split).items():
        assert score_of(only(NUMBER, metric), found, split.labels) == value


@pytest.mark.parametrize("primary", ["f1", "exact_match"])
def test_spans_are_the_scores_of_the_questions(primary: str, tmp_path: Path) -> None:
    split = encode(many(40), make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    width = int(split.lengths.max())
    logits = np.random.default_rng(0).normal(size=(len(split), width, 2))
    for side in (0, 1):  # half of the answers are nearly told
        logits[np.arange(0, len(split), 2), np.asarray(split.labels)[::2, side], side] += 4
    task = only(SPAN, primary)
    found = answers_of(task, logits, split)
    assert len(split) > 40
    assert (found.dtype, found.shape) == (np.float32, (40,))
    assert 0 < found.mean() < 1
    assert score_of(task, found, ()) == pytest.approx(measure(task, logits, split)[primary], abs=1e-7)
    assert (pseudo_values(task, found, ()) == found).all()
    assert (goodness(task, found, ()) == found).all()


def test_a_diverged_model_has_no_answers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        answers_of(TWO, np.array([[np.nan, 0.0]]), encoded(tmp_path, (1,)))


@pytest.mark.parametrize("task", [TWO, NUMBER])
@pytest.mark.parametrize("use", [goodness, score_of, pseudo_values])
def test_answers_and_labels_must_pair(task: TaskSpec, use: object) -> None:
    with pytest.raises(ValueError, match="labels"):
        use(task, np.zeros(3, np.uint8), np.zeros(2))  # type: ignore[operator]
    if use is not goodness:
        with pytest.raises(ValueError, match=r"0 predictions|no answers"):
            use(task, np.zeros(0, np.uint8), np.zeros(0))  # type: ignore[operator]


# --- as text

DTYPES = st.sampled_from([np.uint8, np.uint16, np.float32])
ANSWERS = st.one_of(
    DTYPES.flatmap(lambda dtype: arrays(dtype, st.integers(0, 40))),
    arrays(np.uint8, st.integers(0, 40), elements=st.integers(0, 1)),
)


@settings(deadline=None)
@given(answers=ANSWERS)
def test_round_trip(answers: np.ndarray) -> None:
    again = unpack(pack(answers))
    assert again.dtype == answers.dtype
    assert again.tobytes() == answers.tobytes()  # NaN and -0.0 as well


@settings(deadline=None, max_examples=300)
@given(answers=ANSWERS, data=st.data())
def test_damage_is_seen_or_does_no_harm(answers: np.ndarray, data: st.DataObject) -> None:
    """Deflate does not read every bit."""
    text = pack(answers)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(["", "A", "=", "/", "z", "\u00e9", text[at] * 2]))
    harmed = text[:at] + other + text[at + 1 :]
    try:
        found = unpack(harmed)
    except ValueError as error:
        found, said = None, str(error)
    if found is None:
        assert "damaged" in said
        assert harmed != text
    else:
        assert (found.dtype, found.tobytes()) == (answers.dtype, answers.tobytes())


def test_more_damage() -> None:
    text = pack(np.arange(9, dtype=np.uint8))
    coded = [base64.b64encode(zlib.compress(struct.pack("<cI", kind, 3) + b"12")).decode() for kind in (b"B", b"q")]
    behind = base64.b64encode(base64.b64decode(text) + b"more").decode()
    for harmed in ("", text + text, text[:-8], behind, *coded):
        with pytest.raises(ValueError, match="damaged"):
            unpack(harmed)


@pytest.mark.parametrize("answers", [np.zeros(2), np.zeros(2, np.int64), np.zeros((2, 2), np.uint8)])
def test_other_arrays_are_not_packed(answers: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be packed"):
        pack(answers)


def test_it_is_small() -> None:
    chance = np.random.default_rng(1)
    assert len(pack(chance.integers(0, 2, 277).astype(np.uint8))) <= 76
    assert len(pack(chance.integers(0, 2, 40_000).astype(np.uint8))) < 40_000 / 8 * 4 / 3 + 40
    assert len(pack(chance.integers(0, 3, 40_000).astype(np.uint8))) < 40_000 / 2.5


# --- pseudo-values


def test_the_metrics_are_those_of_evaluations() -> None:
    assert METRICS.keys() == _METRICS.keys()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 25), kinds=st.integers(1, 6))
@pytest.mark.parametrize("metric", ["accuracy", "f1", "f1_macro", "matthews"])
def test_classes_without_each_row(metric: str, seed: int, count: int, kinds: int) -> None:
    chance = np.random.default_rng(seed)
    kinds = min(kinds, 2) if metric == "f1" else kinds
    truth = chance.integers(0, kinds, count)
    said = np.where(chance.random(count) < 0.5, truth, chance.integers(0, kinds, count)).astype(np.uint8)
    assert leave_one_out(metric, truth, said) == pytest.approx(naive(metric, truth, said), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 25), ties=st.integers(0, 6), noise=st.floats(0, 3))
@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_numbers_without_each_row(metric: str, seed: int, count: int, ties: int, noise: float) -> None:
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, ties, count) / 2 if ties else chance.normal(size=count)
    said = truth + noise * chance.normal(size=count)
    said = np.round(said).astype(np.float32) if seed % 2 else said.astype(np.float32)
    wanted = naive(metric, truth, said.astype(np.float64))
    assert leave_one_out(metric, truth, said) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_one_row_that_outweighs_all_others(metric: str) -> None:
    truth = np.array([0.0, 1.0, 2.0, 3.0, 1e7])
    said = np.array([1.0, 0.0, 2.5, 3.5, 3e7])
    assert leave_one_out(metric, truth, said) == pytest.approx(naive(metric, truth, said), abs=1e-9)


def test_accuracy_by_hand() -> None:
    truth, said = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0], dtype=np.uint8)
    assert pseudo_values(TWO, said, truth).tolist() == [1.0, 1.0, 0.0, 1.0]
    assert leave_one_out("accuracy", truth, said).tolist() == [2 / 3, 2 / 3, 1.0, 2 / 3]


def test_f1_by_hand() -> None:
    """Of 2 wanted and 2 said 1 is right: 1/2. Without the hit 0 of 2; without a miss or a false one 2/3; else 1/2."""
    truth, said = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0], dtype=np.uint8)
    wanted = [4 * 0.5 - 3 * without for without in (0.0, 2 / 3, 2 / 3, 0.5)]
    assert pseudo_values(only(TWO, "f1"), said, truth) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", ["f1", "matthews", "pearson", "spearman"])
def test_their_mean_is_nearly_the_metric(metric: str) -> None:
    chance = np.random.default_rng(5)
    truth: np.ndarray = chance.integers(0, 2, 2000)
    said: np.ndarray = np.where(chance.random(2000) < 0.8, truth, 1 - truth).astype(np.uint8)
    task = only(TWO if metric in TWO.metrics else NUMBER, metric)
    if task.kind == "number":
        truth, said = truth + chance.normal(size=2000), (truth + chance.normal(size=2000)).astype(np.float32)
    values = pseudo_values(task, said, truth)
    assert values.mean() == pytest.approx(score_of(task, said, truth), abs=2e-3)
    # their spread is that of the metric over samples drawn anew
    drawn = [chance.integers(0, 2000, 2000) for _ in range(150)]
    spread = np.std([score_of(task, said[rows], truth[rows]) for rows in drawn])
    assert values.std() / 2000**0.5 == pytest.approx(spread, rel=0.25)


@pytest.mark.parametrize("metric", ["f1", "matthews", "pearson", "spearman"])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_the_same_answer_everywhere_is_zero_and_never_nan(metric: str, count: int) -> None:
    task = only(TWO if metric in TWO.metrics else NUMBER, metric)
    truth = np.arange(count) % 2
    said = np.zeros(count, dtype=np.float32 if task.kind == "number" else np.uint8)
    assert pseudo_values(task, said, truth).tolist() == [0.0] * count


@pytest.mark.parametrize("metric", ["accuracy", "f1", "f1_macro", "matthews", "pearson", "spearman"])
def test_forty_thousand_rows_are_quick(metric: str) -> None:
    chance = np.random.default_rng(2)
    truth = chance.integers(0, 2, 40_000)
    said = np.where(chance.random(40_000) < 0.8, truth, 1 - truth)
    task = NUMBER if metric in NUMBER.metrics else TWO
    started = time.perf_counter()
    values = pseudo_values(only(task, metric), said.astype(np.float32 if task is NUMBER else np.uint8), truth)
    assert time.perf_counter() - started < 5  # leaving out one after the other takes minutes
    assert np.isfinite(values).all()
