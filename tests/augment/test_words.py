"""Basic tokens and which of them may be replaced."""

from __future__ import annotations

import pytest

from raykd.augment.words import STOP_WORDS, basic_tokens, eligible, plain


def test_basic_tokens_are_lower_case_words_and_punctuation() -> None:
    words = [token.text for token in basic_tokens("The  movie wasn't GREAT, in 2019!")]
    assert words == ["the", "movie", "wasn", "'", "t", "great", ",", "in", "2019", "!"]


def test_tokens_know_where_they_came_from() -> None:
    sentence = "Déjà\x00 Vu (日本)"
    tokens = basic_tokens(sentence)
    assert [token.text for token in tokens] == ["deja", "vu", "(", "日", "本", ")"]
    assert [sentence[token.start : token.end] for token in tokens] == ["Déjà", "Vu", "(", "日", "本", ")"]


@pytest.mark.parametrize("sentence", ["", "   ", "\t\n", "\x00"])
def test_nothing_gives_no_tokens(sentence: str) -> None:
    assert basic_tokens(sentence) == []


def test_only_letters_that_are_no_stop_word_are_eligible() -> None:
    assert all(eligible(word) for word in ("movie", "one", "great", "x"))
    assert not any(eligible(word) for word in ("the", "not", "i", "am", "t", "2019", "a1", "!", "", "日", "é", "Movie"))


def test_stop_words_are_basic_tokens_themselves() -> None:
    assert all(plain(word) for word in STOP_WORDS)
    assert len(STOP_WORDS) > 140
