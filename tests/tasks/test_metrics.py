"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raykd.tasks import spans
from raykd.tasks.metrics import _METRICS, RANGES, majority, most_frequent, score
from raykd.tasks.task import TASKS, Task, find

CUSTOM = Task("custom", "", ("text",), ("a", "b", "c"), ("accuracy", "f1_macro"), "accuracy")


def one_hot(predicted: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[predicted] * 3 - 1


def test_classes() -> None:
    truth, predicted = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]  # tp 2, fn 1, fp 1, tn 1
    found = score(find("mrpc"), one_hot(predicted, 2), truth)
    assert found == pytest.approx({"accuracy": 3 / 5, "f1": 2 / 3})
    found = score(find("cola"), one_hot(predicted, 2), truth)
    assert found == pytest.approx({"matthews": (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2), "accuracy": 3 / 5})
    # one-against-all F1: a 2*1/(1+2), b 2*1/(2+1), c 0
    found = score(CUSTOM, one_hot([0, 1, 0], 3), [0, 1, 2])
    assert found == pytest.approx({"accuracy": 2 / 3, "f1_macro": (2 / 3 + 1 + 0) / 3})


def test_numbers() -> None:
    found = score(find("stsb"), np.array([[1.0], [2.0], [9.0]]), [1.0, 3.0, 2.0])
    # deviations (-3, -2, 5) and (-1, 1, 0); ranks 1 2 3 and 1 3 2
    assert found == pytest.approx({"pearson": (3 - 2) / math.sqrt(38 * 2), "spearman": 0.5})


def test_constant_predictions_score_nothing_and_warn_of_nothing() -> None:
    for constant in (np.full((4, 1), 0.1), np.full((4, 1), 1e6) + np.array([[0], [1e-9], [0], [0]])):
        assert score(find("stsb"), constant, [1.0, 2.0, 3.0, 4.0]) == {"pearson": 0.0, "spearman": 0.0}
    assert score(find("stsb"), np.arange(3.0), [2.0, 2.0, 2.0]) == {"pearson": 0.0, "spearman": 0.0}
    assert score(find("cola"), one_hot([1, 1, 1], 2), [1, 1, 1]) == {"matthews": 0.0, "accuracy": 1.0}
    assert score(find("mrpc"), one_hot([0, 0], 2), [0, 0]) == {"accuracy": 1.0, "f1": 0.0}


def test_no_score_without_sound_input() -> None:
    with pytest.raises(ValueError, match="not finite"):
        score(find("rte"), np.array([[0.0, math.nan]]), [1])
    with pytest.raises(ValueError, match="1 predictions for 2 labels"):
        score(find("rte"), np.zeros((1, 2)), [0, 1])
    with pytest.raises(ValueError, match="0 predictions"):
        score(find("rte"), np.zeros((0, 2)), [])


def test_majority() -> None:
    assert majority(find("rte"), [0, 0, 1]) == pytest.approx(2 / 3)
    assert majority(find("rte"), [0, 0, 1], train=[1, 1, 0]) == pytest.approx(1 / 3)
    assert majority(find("rte"), [0, 1]) == 0.5  # a tie goes to the lower class
    assert majority(find("cola"), [1, 1, 0]) == 0.0
    assert majority(find("stsb"), [1.0, 2.0]) == 0.0
    assert majority(find("squad"), [1, 1]) == 0.0
    assert majority(find("squad_v2"), [1, 0, 0, 0]) == 0.75  # answering nothing is right where nothing is there


def test_every_metric_has_a_range_and_stays_in_it() -> None:
    assert RANGES.keys() == {*_METRICS, *spans.METRICS} >= {name for task in TASKS.values() for name in task.metrics}
    chance = np.random.default_rng(0)
    for name, metric in _METRICS.items():
        low, high = RANGES[name]
        for _ in range(50):
            truth, given = chance.integers(0, 2, (2, int(chance.integers(1, 9))))
            for one, other in ((truth, given), (truth, truth), (truth, 1 - truth)):
                assert low - 1e-12 <= metric(one, other) <= high + 1e-12


def test_the_most_frequent_class_and_of_equals_the_lowest() -> None:
    assert most_frequent([2, 1, 1, 2, 0]) == 1
    assert most_frequent(np.array([3])) == 3
