"""Who is confirmed on fresh seeds: the best that differ."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raykd.search.apart import WIDTH, apart

ANSWERS = {
    "best": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "twin": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    "other": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    "third": [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
}


def _answers(label: str) -> np.ndarray | None:
    return np.array(ANSWERS[label]) if label in ANSWERS else None


def test_a_twin_of_a_better_one_makes_room() -> None:
    assert apart(["best", "twin", "other", "third"], _answers, 2) == ["best", "other"]
    assert apart(["twin", "other", "best", "third"], _answers, 3) == ["twin", "other", "third"]


def test_where_too_few_differ_the_best_twins_come_in_their_order() -> None:
    assert apart(["best", "twin", "other"], _answers, 2) == ["best", "other"]
    few = ["best", "twin", "other", "third"]
    assert apart(few[:3], _answers, 3) == few[:3]
    doubles = {"a": [0, 0, 0, 0], "b": [0, 0, 0, 0], "c": [0, 0, 0, 0], "d": [1, 1, 1, 1], "e": [1, 1, 1, 1]}
    assert apart(list("abcde"), lambda label: np.array(doubles[label]), 3) == ["a", "b", "d"]


def test_unknown_answers_are_like_nobody() -> None:
    assert apart(["best", "gone", "twin", "other"], _answers, 2) == ["best", "gone"]
    assert apart(["x", "y", "z"], _answers, 2) == ["x", "y"]


def test_one_place_goes_to_the_best_and_answers_are_not_read() -> None:
    def never(label: str) -> np.ndarray | None:
        raise AssertionError(label)

    assert apart(["best", "twin"], never, 1) == ["best"]
    assert apart(["best", "twin"], never, 2) == ["best", "twin"]
    assert apart([], never, 3) == []


@given(st.integers(1, 5), st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), max_size=50))
def test_as_many_as_asked_for_each_once_the_best_always_among_them(many: int, rows: list[list[int]]) -> None:
    ranked = [f"t{number:04d}" for number in range(len(rows))]
    found = apart(ranked, lambda label: np.array(rows[int(label[1:])]), many)
    assert len(found) == min(many, len(ranked))
    assert found == sorted(set(found))
    assert found[:1] == ranked[:1]
    assert all(int(label[1:]) < WIDTH * many for label in found)
