"""Exact match and F1 of answers, worked out by hand."""

from __future__ import annotations

import pytest

from raykd.tasks.answers import exact_match, f1, normalise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Denver\tBroncos!", "denver broncos"),
        ("an apple a day", "apple day"),
        ("theatre and anagram", "theatre and anagram"),  # articles are words, not beginnings
        ("U.S.A.", "usa"),
        ("twenty-one", "twentyone"),
        ("the-one", "theone"),  # punctuation goes first, so that this is no article
        ("\u2013 caf\u00e9 \u201cA\u201d", "\u2013 caf\u00e9 \u201c \u201d"),  # only ASCII punctuation counts
        ("The", ""),
        ("", ""),
    ],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_exact_match_takes_any_right_answer() -> None:
    assert exact_match("the Broncos", ["Denver Broncos", "Broncos"]) == 1.0
    assert exact_match("Bronco", ["Denver Broncos", "Broncos"]) == 0.0
    assert exact_match("", ["Broncos"]) == 0.0


def test_f1_counts_words_in_common_and_takes_the_best() -> None:
    # 2 in common of 2 given and 3 wanted: 2 * 2 / 5
    assert f1("Denver Broncos", ["Denver Broncos team"]) == pytest.approx(0.8)
    assert f1("Denver Broncos", ["Denver Broncos team", "denver broncos."]) == 1.0
    # each word counts as often as both have it: min(2, 1) + min(1, 1) of 3 and 3
    assert f1("new new york", ["new york city"]) == pytest.approx(2 * 2 / 6)
    assert f1("Paris", ["London"]) == 0.0


def test_a_question_without_an_answer_wants_none() -> None:
    assert (exact_match("", []), f1("", [])) == (1.0, 1.0)
    assert (exact_match("Paris", []), f1("Paris", [])) == (0.0, 0.0)
    assert (exact_match("the", []), f1("the", [])) == (1.0, 1.0)  # nothing is left of it
    assert f1("", ["Paris"]) == 0.0
    assert exact_match("a", ["the", "Paris"]) == 0.0  # a right answer of which nothing is left is none
