"""Who is confirmed on fresh seeds: the best that differ."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raykd.search.apart import different_first

ANSWERS = {
    "best": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "twin": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    "other": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    "third": [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
}


def _answers(label: str) -> np.ndarray | None:
    return np.array(ANSWERS[label]) if label in ANSWERS else None


def apart(ranked: Sequence[str], answers: Callable[[str], np.ndarray | None], many: int) -> list[str]:
    """The first `many` in the order of their rank."""
    return sorted(different_first(ranked, answers)[:many], key=list(ranked).index)


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
    assert apart([], _answers, 3) == []


def test_one_that_answers_as_a_baseline_makes_room_too_however_good() -> None:
    own = {**ANSWERS, "plain": ANSWERS["best"]}

    def answers(label: str) -> np.ndarray | None:
        return np.array(own[label]) if label in own else None

    ranked = ["best", "twin", "other", "third"]
    assert different_first(ranked, answers, lambda _: ["plain"]) == ["other", "third", "best", "twin"]
    assert different_first(ranked, answers, lambda label: ["plain"] * (label == "twin")) == [
        "best", "other", "third", "twin",
    ]  # fmt: skip
    assert different_first(ranked, answers, lambda _: ["gone"]) == ["best", "other", "third", "twin"]


def naive(ranked: Sequence[str], answers: dict[str, list[int]], baseline: list[int], alike: float = 0.25) -> list[str]:
    """The same row by row, with no array."""

    def differing(one: Sequence[int], other: Sequence[int]) -> float:
        return sum(1 for a, b in zip(one, other, strict=True) if a != b) / len(one)

    all_gaps = [
        differing(answers[ranked[i]], answers[ranked[j]]) for i in range(len(ranked)) for j in range(i + 1, len(ranked))
    ]
    least = alike * statistics.median(all_gaps) if all_gaps else 0.0
    kept: list[str] = []
    for label in ranked:
        near = [other for other in kept if differing(answers[label], answers[other]) < least]
        if not near and differing(answers[label], baseline) >= least:
            kept.append(label)
    return kept + [label for label in ranked if label not in kept]


ROWS = st.lists(st.integers(0, 1), min_size=6, max_size=6)


@given(st.lists(ROWS, max_size=20), ROWS)
def test_as_a_loop_over_rows_finds_it(rows: list[list[int]], baseline: list[int]) -> None:
    ranked = [f"t{number:04d}" for number in range(len(rows))]
    own = dict(zip(ranked, rows, strict=True))
    known = {label: np.array(row) for label, row in {**own, "baseline": baseline}.items()}
    assert different_first(ranked, known.get, lambda _: ["baseline"]) == naive(ranked, own, baseline)


@given(st.integers(1, 5), st.lists(ROWS, max_size=50))
def test_as_many_as_asked_for_each_once_the_best_always_among_them(many: int, rows: list[list[int]]) -> None:
    ranked = [f"t{number:04d}" for number in range(len(rows))]
    found = apart(ranked, lambda label: np.array(rows[int(label[1:])]), many)
    assert len(found) == min(many, len(ranked))
    assert found == sorted(set(found))
    assert found[:1] == ranked[:1]
