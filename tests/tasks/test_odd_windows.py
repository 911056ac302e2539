"""Windows of odd questions: unicode, answers that fit nowhere, long questions, empty contexts, damaged files."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.models.scratch import word_tokenizer
from raykd.tasks.data import Answer, Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.questions import Questions, about

from .conftest import make_tokenizer
from .windowed import LETTERS, asked, byte_pairs, many, recovered

UNICODE = [
    ("who ?", "The cafe\u0301 of Zoe\u0308 .", "Zoe\u0308"),  # combining accents
    ("what ?", "x \U0001f469\u200d\U0001f680 flew , \U0001f600\U0001f600 .", "\U0001f600\U0001f600"),  # beyond 16 bits
    ("where ?", "\u4eac\u90fd\u306f\u65e5\u672c\u3067\u3059", "\u65e5\u672c"),
    ("who ?", "\u05e9\u05dc\u05d5\u05dd \u05d3\u05d5\u05d3 \u05d4\u05de\u05dc\u05da", "\u05d3\u05d5\u05d3"),
    ("what ?", "a\u00a0b\u2028c\u3000d e", "d"),  # spaces of other kinds
    ("what ?", "\u0130stanbul and \u1e9e and \ufb01ne", "\u1e9e"),  # longer in lower case
]


@pytest.mark.parametrize(("question", "context", "answer"), UNICODE)
def test_bytes_of_any_text_keep_their_places(question: str, context: str, answer: str, tmp_path: Path) -> None:
    split = asked((question, context, answer))
    coded = encode(split, byte_pairs("the context and the answer"), max_length=96, regression=False, cache=tmp_path)
    assert recovered(coded) == {0: {answer}}


def test_words_that_change_length_in_lower_case_keep_their_places(tmp_path: Path) -> None:
    context = "\u0130\u0130\u0130 Anna\u0301 met Zoe\u0308"
    coded = encode(
        asked(("who", context, "Zoe\u0308")), word_tokenizer(["anna", "met", "who"]), max_length=32, regression=False,
        cache=tmp_path,
    )  # fmt: skip
    assert recovered(coded) == {0: {"Zoe\u0308"}}


def test_an_answer_within_a_token_takes_the_token(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(["golden", "coat"])
    split = Split((("what", "golden coat"),), (1,), (((0, "gold"),),))
    assert recovered(encode(split, tokenizer, max_length=32, regression=False, cache=tmp_path)) == {0: {"golden"}}


def test_what_no_window_holds_has_no_label_and_is_told(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(LETTERS)
    long = " ".join(LETTERS)
    split = asked(("a", long, long[:30]), ("a", long, "z"), ("a", long, None))
    coded = encode(split, tokenizer, max_length=12, regression=False, cache=tmp_path)
    assert recovered(coded) == {1: {"z"}}
    assert about(coded) == f"3 questions in {len(coded)} windows, 1 with an answer that no window holds whole"


def test_a_long_question_is_cut_and_counted(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(LETTERS)
    split = asked((" ".join(LETTERS), "a b c", "b"), ("q", "a b c", "c"))
    coded = encode(split, tokenizer, max_length=24, regression=False, cache=tmp_path)
    assert coded.truncated == 1
    words = tokenizer.convert_ids_to_tokens(coded.batch([0]).input_ids[0].tolist())
    assert words == ["[CLS]", *LETTERS[:8], "[SEP]", "a", "b", "c", "[SEP]"]
    assert recovered(coded) == {0: {"b"}, 1: {"c"}}
    assert "2 windows, 1 cut short" in about(coded)


def test_padding_is_on_the_right_whatever_the_tokenizer_says(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(LETTERS)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    coded = encode(
        asked(("a", "b c d e", "e"), ("a", "b", "b")), tokenizer, max_length=24, regression=False, cache=tmp_path
    )
    batch = coded.batch([0, 1])
    assert batch.attention_mask.tolist() == [[1] * 8, [1] * 5 + [0] * 3]
    assert batch.labels.tolist() == [[6, 6], [3, 3]]


def test_empty_contexts_make_a_window_without_context(tmp_path: Path) -> None:
    split = Split((("a", ""), ("", "b")), (0, 0), ((), ()))
    coded = encode(split, make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    assert coded.lengths.tolist() == [4, 4]
    assert (Questions.of(coded).chars[0] == -1).all()


def test_the_key_covers_answers_and_stride(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(LETTERS)
    split = asked(("a", "b c d", "b"))
    moved: tuple[Answer, ...] = ((2, "c"),)
    keys = {
        encode(one, tokenizer, max_length=24, regression=False, cache=tmp_path, stride=stride).key
        for one, stride in (
            (split, None),
            (split, 3),
            (Split(split.texts, (1,), (moved,)), None),
            (Split(split.texts, (1,)), None),
        )
    }
    assert len(keys) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(keys)


def test_damage_is_found_and_mended(tmp_path: Path) -> None:
    tokenizer, split = make_tokenizer(LETTERS), many(5)
    coded = encode(split, tokenizer, max_length=24, regression=False, cache=tmp_path)
    for name in ("texts.json", "chars.npy", "rows.npy"):
        (coded.folder / name).write_bytes(b"")
        with pytest.raises((OSError, ValueError)):
            Encoded.open(coded.folder)
        again = encode(split, tokenizer, max_length=24, regression=False, cache=tmp_path)
        assert recovered(again) == {row: {answers[0][1]} for row, answers in enumerate(split.answers)}


def test_it_travels_as_a_path(tmp_path: Path) -> None:
    coded = encode(many(5), make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    copy: Encoded = pickle.loads(pickle.dumps(coded))
    assert recovered(copy) == recovered(coded)
    plain = encode(Split((("a",),), (0,)), make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    with pytest.raises(ValueError, match="holds no questions"):
        Questions.of(plain)


def test_windows_must_move_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="windows of 24 tokens may share 0 to 12 of them, not 13"):
        encode(many(2), make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path, stride=13)
    encode(many(2), make_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path, stride=12)
    encode(many(2), make_tokenizer(LETTERS), max_length=8, regression=False, cache=tmp_path)
