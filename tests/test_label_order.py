"""Classes in another order are recognised by the rows; noise and absent classes are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from raykd.errors import UserError
from raykd.label_order import check_order, check_scale

LABELS = ("art", "business", "sport", "world")


def rows(count: int, accuracy: float, order: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a teacher whose output i means class order[i], right for such a share of the rows."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, len(order), count)
    known = np.where(random.random(count) < accuracy, truth, random.integers(0, len(order), count))
    return np.argsort(order)[known], truth


def test_two_classes_exchanged() -> None:
    """CASES 21: half of the rows are right, which alone says nothing."""
    with pytest.raises(UserError, match="0=art,1=sport,2=business,3=world") as caught:
        check_order("t", *rows(400, 0.98, (0, 2, 1, 3)), LABELS)
    assert "0=art,1=business,2=sport,3=world" in str(caught.value)


def test_all_classes_elsewhere() -> None:
    """CASES 34: below chance is order, not ignorance."""
    with pytest.raises(UserError, match="--label-map 0=world,1=art,2=business,3=sport if"):
        check_order("t", *rows(200, 0.9, (3, 0, 1, 2)), LABELS)


@pytest.mark.parametrize("accuracy", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("count", [4, 40, 400])
def test_ignorance_and_noise_are_no_order(accuracy: float, count: int) -> None:
    for seed in range(50):
        check_order("t", *rows(count, accuracy, (0, 1, 2, 3), seed), LABELS)


def test_two_of_two() -> None:
    for seed in range(200):
        check_order("t", *rows(277, 0.0, (0, 1), seed), ("no", "yes"))
    with pytest.raises(UserError, match="0=yes,1=no"):
        check_order("t", *rows(277, 0.7, (1, 0)), ("no", "yes"))


def test_classes_that_no_row_has() -> None:
    answers = np.array([0] * 50 + [1] * 50)
    check_order("t", answers, answers, LABELS)
    with pytest.raises(UserError, match="0=business,1=art,2=sport,3=world"):
        check_order("t", answers, 1 - answers, LABELS)


@pytest.mark.parametrize(
    ("slope", "start", "words"),
    [(1, 0, []), (-1, 5, ["scale reversed"]), (0.5, 0, []), (20, 0, ["gives scores"])],
)
def test_scores(slope: float, start: float, words: list[str]) -> None:
    truth = np.linspace(0, 5, 50)
    said: list[str] = []
    check_scale("t", start + slope * truth, truth, said.append)
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))
