"""From logits to answers: the best span, over all windows, or none; scores by hand."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from raykd.tasks import spans
from raykd.tasks.questions import Questions
from raykd.tasks.spans import Found
from raykd.tasks.task import find

V1, V2 = find("squad"), find("squad_v2")


def questions(rows: list[int], words: int = 6, answers: list[list[str]] | None = None) -> Questions:
    """Windows of [CLS] question [SEP] and so many one-letter words of the context "a b c ...", and padding."""
    width = words + 5
    chars = np.full((len(rows), width, 2), -1, dtype=np.int32)
    for word in range(words):
        chars[:, 3 + word] = (2 * word, 2 * word + 1)
    count = max(rows) + 1
    text = " ".join(chr(ord("a") + word % 26) for word in range(words))
    lengths = np.full(len(rows), words + 4)
    return Questions(np.array(rows), lengths, chars, [text] * count, answers or [[]] * count)


def naive(logits: np.ndarray, chars: np.ndarray) -> tuple[int, int, float]:
    """Every pair of tokens, one after the other."""
    best = (0, 0, -math.inf)
    for start in range(len(logits)):
        for end in range(start, min(start + 30, len(logits))):
            value = float(logits[start, 0]) + float(logits[end, 1])
            if chars[start, 1] >= 0 and chars[end, 1] >= 0 and value > best[2]:
                best = (start, end, value)
    return best


def test_the_best_span_is_that_of_trying_them_all() -> None:
    asked = questions([0] * 40, words=45)
    logits = np.random.default_rng(3).normal(size=asked.chars.shape)
    logits[:10, 4, 0] += 9  # these want a far end
    logits[:10, 46, 1] += 9
    first, last, best = spans.best_spans(logits, asked.chars)
    for window in range(40):
        start, end, value = naive(logits[window], asked.chars[window])
        assert (first[window], last[window]) == (start, end)
        assert best[window] == pytest.approx(value)
    assert (last - first).max() < 30


def test_question_padding_and_reversed_spans_are_no_answers() -> None:
    asked = questions([0])
    logits = np.zeros(asked.chars.shape)
    logits[0, [0, 1, 9, 10], :] = 50.0  # first token, question, last separator, padding
    logits[0, 7, 0] = 5.0
    logits[0, 4, 1] = 4.0  # ends before it starts
    logits[0, 8, 1] = 3.0
    assert spans.find(V1, logits, asked)[0].text == "e f"


def test_the_best_window_answers() -> None:
    asked = questions([0, 0, 1])
    logits = np.zeros(asked.chars.shape)
    logits[0, 3, :] = 2.0
    logits[1, 4, :] = 3.0
    logits[2, 5, :] = 1.0
    assert [found.text for found in spans.find(V1, logits, asked)] == ["b", "c"]


def test_no_answer_where_the_first_token_wins_in_every_window() -> None:
    asked = questions([0, 0, 1, 1], answers=[["b"], []])
    logits = np.zeros(asked.chars.shape)
    logits[:, 4, :] = 2.0
    logits[:, 0, :] = 3.0
    logits[0, 0, :] = 1.0  # one window of the first question holds an answer
    assert [found.text for found in spans.find(V1, logits, asked)] == ["b", "b"]
    found = spans.find(V2, logits, asked)
    assert [one.text for one in found] == ["b", ""]
    assert spans.score(V2, found, asked) == {"f1": 1.0, "exact_match": 1.0, "no_answer_accuracy": 1.0}
    logits[2:, 0, :] = 2.0  # no better than the span: the threshold must be passed
    assert spans.find(V2, logits, asked)[1].text == "b"


def test_the_score_is_a_probability() -> None:
    asked = questions([0], words=1)
    logits = np.zeros(asked.chars.shape)
    logits[0, 5:] = 99.0  # padding has no part in it
    assert spans.find(V1, logits, asked)[0].probability == pytest.approx(1 / 25)
    logits[0, 0] = 1000.0
    nothing = spans.find(V2, logits, asked)[0]
    assert (nothing.text, nothing.probability) == ("", pytest.approx(1.0))


def test_a_context_without_tokens_has_no_answer() -> None:
    asked = questions([0], words=0)
    assert spans.find(V1, np.zeros(asked.chars.shape), asked)[0].text == ""


def test_scores_are_means_over_questions() -> None:
    asked = questions([0, 1, 2], answers=[["a b"], ["c", "c d"], []])
    found = [Found("b", 0.5), Found("c", 0.5), Found("c", 0.5)]
    assert spans.score(V2, found, asked) == {
        "f1": pytest.approx((1.0 + 1.0 + 0.0) / 3),  # "a" is an article
        "exact_match": pytest.approx(2 / 3),
        "no_answer_accuracy": pytest.approx(2 / 3),
    }
    assert set(spans.score(V1, found, asked)) == {"f1", "exact_match"}


def test_logits_must_fit_and_be_finite() -> None:
    asked = questions([0, 1])
    with pytest.raises(ValueError, match="for windows"):
        spans.find(V1, np.zeros((1, 11, 2)), asked)
    with pytest.raises(ValueError, match="not finite"):
        spans.find(V1, np.full(asked.chars.shape, np.nan), asked)


def test_ten_thousand_windows_take_seconds() -> None:
    asked = questions([row // 2 for row in range(10_000)], words=120, answers=[["a b c"]] * 5_000)
    logits = np.random.default_rng(0).normal(size=asked.chars.shape).astype(np.float32)
    start = time.process_time()
    spans.score(V2, spans.find(V2, logits, asked), asked)
    assert time.process_time() - start < 5
