"""Attempts and row expansion, against draws written out by hand."""

from __future__ import annotations

import random

import pytest

from raykd.augment.sentences import Pairs, expand, variants


class Scripted(random.Random):
    """Answers with what it was given, and notes who asked."""

    def __init__(self, *answers: object) -> None:
        super().__init__(0)
        self.answers = list(answers)
        self.asked: list[str] = []

    def choice(self, seq):  # type: ignore[no-untyped-def]
        self.asked.append("choice")
        return seq[self.answers.pop(0)]

    def random(self) -> float:
        self.asked.append("random")
        return self.answers.pop(0)  # type: ignore[return-value]


def test_draws_come_in_the_published_order() -> None:
    chance = Scripted(1, 0.39, 0, 0.4, 0, 0.9, 1, 0.0)
    candidates = {1: ["film", "plot"], 3: ["bad", "good"]}
    tokens = ["the", "movie", "was", "great"]
    new = variants("The movie was great", tokens, candidates, attempts=2, probability=0.4, chance=chance)
    # first: "plot" taken (.39 < .4), "bad" not (.4 is not below .4); second: "film" not, "good" taken
    assert new == ["The movie was great", "the plot was great", "the movie was good"]
    assert chance.asked == ["choice", "random"] * 4
    assert not chance.answers


def test_a_repeated_result_uses_up_its_attempt() -> None:
    chance = Scripted(0, 0.0, 0, 0.0, 0, 0.9)
    new = variants("movie", ["movie"], {0: ["film"]}, attempts=3, probability=0.4, chance=chance)
    assert new == ["movie", "film"]  # the third attempt gives the sentence itself
    assert not chance.answers


def test_without_candidates_the_tokens_are_the_only_variant() -> None:
    chance = random.Random(0)
    assert variants("It was.", ["it", "was", "."], {}, attempts=5, probability=0.4, chance=chance) == [
        "It was.",
        "it was .",
    ]
    assert variants(" ", [], {}, attempts=5, probability=0.4, chance=chance) == [" "]


@pytest.mark.parametrize(("probability", "expected"), [(0.0, {"a b"}), (1.0, {"a b", "x x"})])
def test_probability_at_its_ends(probability: float, expected: set[str]) -> None:
    candidates = {0: ["x"], 1: ["x"]}
    new = variants("a b", ["a", "b"], candidates, attempts=20, probability=probability, chance=random.Random(3))
    assert set(new) == expected


def test_one_text_makes_a_row_a_variant() -> None:
    assert expand([["x", "x1", "x2"]], "original") == [("x",), ("x1",), ("x2",)]
    assert expand([["x", "x1", "x2"]], "published") == [("x",), ("x1",), ("x2",)]


def test_pairs_vary_one_text_at_a_time() -> None:
    rows = expand([["p", "p1", "p2"], ["h", "h1"]], "original")
    assert rows == [("p", "h"), ("p1", "h"), ("p2", "h"), ("p", "h1")]


def test_published_pairs_keep_the_last_variant() -> None:
    rows = expand([["p", "p1", "p2"], ["h", "h1"]], "published")
    assert rows == [("p", "h"), ("p1", "h"), ("p2", "h"), ("p2", "h"), ("p2", "h1")]


@pytest.mark.parametrize("pairs", ["original", "published"])
def test_the_original_row_comes_first(pairs: Pairs) -> None:
    assert expand([["p"], ["h"]], pairs)[0] == ("p", "h")
    assert expand([["p", "p1"], ["h", "h1"]], pairs)[0] == ("p", "h")
