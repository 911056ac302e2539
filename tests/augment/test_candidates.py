"""Masked inputs, the choice among scores, and batches that change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raykd.augment import candidates
from raykd.augment.candidates import choose, masked_inputs, predict
from raykd.augment.masked_lm import MaskedInput, MaskedLM, load_masked_lm, masked_ids
from raykd.augment.pieces import Vocabulary, vocabulary_of
from raykd.augment.words import basic_tokens
from tests.augment.toys import VOCABULARY, byte_level, sentencepiece, wordpiece

SENTENCES = ["The movie was unbelievable, great", "a quiet garden", "it was", ""]


@pytest.fixture(scope="module")
def lm(lm_folder: Path) -> MaskedLM:
    return load_masked_lm(lm_folder)


def inputs_of(lm: MaskedLM, sentences: list[str], longest: int = 64) -> list[dict[int, MaskedInput]]:
    return masked_inputs(lm.tokenizer, sentences, [basic_tokens(sentence) for sentence in sentences], longest)


def test_single_pieces_get_an_input(lm: MaskedLM) -> None:
    inputs = inputs_of(lm, SENTENCES)
    assert [list(each) for each in inputs] == [[1, 5], [1, 2], [], []]
    movie = inputs[0][1]
    read = lm.tokenizer.convert_ids_to_tokens(masked_ids([movie], lm.tokenizer)[0].tolist())
    rest = ["was", "un", "##believ", "##able", ",", "great", "[SEP]"]
    assert read == ["[CLS]", "the", "[MASK]", *rest, "the", "movie", *rest]
    assert movie.segments == [0] * 10 + [1] * 9
    assert VOCABULARY[movie.masked] == "movie"


def test_what_is_too_long_is_cut(lm: MaskedLM) -> None:
    sentence = "unbelievable " * 3 + "garden river"  # 11 pieces
    assert list(inputs_of(lm, [sentence], 64)[0]) == [3, 4]
    cut = inputs_of(lm, [sentence], 11)[0]
    assert list(cut) == [3]
    assert len(cut[3].ids) == len(cut[3].segments or []) == 11
    # "un" alone is left of the third word, which is no single piece for that
    assert list(inputs_of(lm, [sentence], 8)[0]) == []


def test_special_tokens_in_the_text_are_no_words(lm: MaskedLM) -> None:
    assert [token.text for token in basic_tokens("a [MASK] garden")][2] == "mask"
    assert list(inputs_of(lm, ["a [MASK] garden"])[0]) == [4]


def test_choose_by_hand() -> None:
    words = ("[PAD]", "film", "s", "movie", "", "film", "plot")
    continues = (False, False, True, False, False, False, False)
    vocabulary = Vocabulary(words, continues, barred=frozenset({0}))
    scores = torch.tensor([[9.0, 3.0, 5.0, 2.0, 4.5, 2.5, 1.0]])
    assert choose(scores, [1], vocabulary, 3) == [["film"]]  # "s" goes on, "" is no text: no refill
    assert choose(scores, [1], vocabulary, 5) == [["film", "movie"]]  # "film" once
    assert choose(scores, [1], vocabulary, 99) == [["film", "movie", "plot"]]
    assert choose(scores, [2], vocabulary, 4) == [["s"]]
    assert scores[0, 0] == 9.0


def test_choose_against_a_plain_loop() -> None:
    torch.manual_seed(0)
    words = tuple(f"w{i}" for i in range(50))
    vocabulary = Vocabulary(words, tuple(i % 3 == 0 for i in range(50)), frozenset({4, 5}))
    scores, masked = torch.randn(20, 50), list(range(20))
    for row, was, chosen in zip(scores.tolist(), masked, choose(scores, masked, vocabulary, 8), strict=True):
        best = [i for _, i in sorted((-value, i) for i, value in enumerate(row) if i not in (4, 5))][:8]
        assert chosen == [words[i] for i in best if (i % 3 == 0) == (was % 3 == 0)]


def test_scores_are_those_of_the_whole_model(lm: MaskedLM) -> None:
    batch = [each for row in inputs_of(lm, SENTENCES) for each in row.values()]
    scores = lm.scores(batch)
    for row, each in zip(scores, batch, strict=True):
        with torch.no_grad():
            alone = lm.model(
                input_ids=masked_ids([each], lm.tokenizer), token_type_ids=torch.tensor([each.segments])
            ).logits[0, each.position]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)


def test_batches_change_nothing(lm: MaskedLM, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(lm, SENTENCES * 5)
    shares: list[float] = []
    whole = predict(lm, inputs, 6, shares.append)
    assert shares == [len(inputs)]
    monkeypatch.setattr(candidates, "BATCH_TOKENS", 40)
    assert predict(lm, inputs, 6, shares.append) == whole
    assert len(shares) > 5
    assert sum(shares[1:]) == pytest.approx(len(inputs))
    assert [list(each) for each in whole] == [list(each) for each in inputs]
    assert predict(lm, [{}, {}], 6, shares.append) == [{}, {}]


def test_a_vocabulary_of_word_pieces() -> None:
    vocabulary = vocabulary_of(wordpiece(VOCABULARY), len(VOCABULARY) + 2)
    at = VOCABULARY.index
    assert vocabulary.words[at("##able")] == "able"
    assert vocabulary.continues[at("##able")]
    assert not vocabulary.continues[at("film")]
    assert vocabulary.barred == {0, 1, 2, 3, 4, len(VOCABULARY), len(VOCABULARY) + 1}


@pytest.mark.parametrize("make", [byte_level, sentencepiece])
def test_tokenizers_that_mark_the_space_before_a_word(make) -> None:  # type: ignore[no-untyped-def]
    tokenizer = make(["The", "movie", "was", "great", "Paris", "café"])
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    sentence = "The movie was great in Paris"
    inputs = masked_inputs(tokenizer, [sentence], [basic_tokens(sentence)], 64)[0]
    assert {number: vocabulary.words[each.masked] for number, each in inputs.items()} == {
        1: "movie",
        3: "great",
        5: "paris",
    }
    assert not any(vocabulary.continues[each.masked] for each in inputs.values())
    assert "café" in vocabulary.words
    assert vocabulary.continues[tokenizer.convert_tokens_to_ids("m")]
    assert not vocabulary.continues[tokenizer.convert_tokens_to_ids(tokenizer.tokenize(" m")[0])]
