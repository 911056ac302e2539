"""Windows of questions: the tokenizer's own cutting, and answers found again from their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from raykd.models.scratch import word_tokenizer
from raykd.tasks import sample
from raykd.tasks.answers import exact_match
from raykd.tasks.encode import encode
from raykd.tasks.load import load
from raykd.tasks.questions import Questions
from raykd.tasks.task import find

from .conftest import make_tokenizer
from .windowed import LETTERS, byte_pairs, many, recovered


@pytest.mark.parametrize("stride", [0, 5, None])
@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_windows_are_those_of_the_tokenizer(kind: str, stride: int | None, tmp_path: Path) -> None:
    split = many()
    tokenizer = make_tokenizer(LETTERS) if kind == "words" else byte_pairs(*(text for _, text in split.texts))
    coded = encode(split, tokenizer, max_length=24, regression=False, cache=tmp_path, stride=stride)
    wanted = tokenizer(
        *(list(column) for column in zip(*split.texts, strict=True)),
        truncation="only_second",
        max_length=24,
        stride=8 if stride is None else stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=True,
        return_tensors="pt",
    )
    assert len(coded) == len(wanted["input_ids"]) > 60
    batch = coded.batch(range(len(coded)))
    assert torch.equal(batch.input_ids, wanted["input_ids"])
    assert torch.equal(batch.attention_mask, wanted["attention_mask"])
    if kind == "words":
        assert batch.token_type_ids is not None
        assert torch.equal(batch.token_type_ids, wanted["token_type_ids"])
    else:
        assert batch.token_type_ids is None
    questions = Questions.of(coded)
    assert questions.rows.tolist() == wanted["overflow_to_sample_mapping"].tolist()
    for window, encoding in enumerate(wanted.encodings):
        for place, side in enumerate(encoding.sequence_ids):
            offsets = encoding.offsets[place] if side == 1 else (-1, -1)
            assert tuple(questions.chars[window, place]) == offsets


@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_every_answer_is_found_again_in_every_window_that_holds_it(kind: str, tmp_path: Path) -> None:
    split = many()
    tokenizer = make_tokenizer(LETTERS) if kind == "words" else byte_pairs(*(text for _, text in split.texts))
    coded = encode(split, tokenizer, max_length=24, regression=False, cache=tmp_path)
    assert recovered(coded) == {row: {answers[0][1]} for row, answers in enumerate(split.answers)}
    batch, questions = coded.batch([0, 1, 2]), Questions.of(coded)
    assert batch.labels.shape == (3, 2)
    assert batch.labels.dtype == torch.int64
    for window, (start, _) in enumerate(np.asarray(coded.labels)):  # 0 only where the window does not hold it
        (low, text), chars = split.answers[int(questions.rows[window])][0], questions.chars[window]
        inside = chars[chars[:, 1] >= 0]
        assert bool(start) == bool(inside[0, 0] <= low and low + len(text) <= inside[-1, 1])


@pytest.mark.parametrize("name", ["squad", "squad_v2"])
def test_every_answer_of_the_sample_is_found_again(name: str, tmp_path: Path) -> None:
    task = find(name)
    data = load(name, "sample")
    tokenizer = word_tokenizer(sample.vocabulary(task))
    for split in (data.train, data.dev["dev"]):
        coded = encode(split, tokenizer, max_length=64, regression=False, cache=tmp_path)
        assert len(coded) == len(split)  # one window each
        assert tokenizer.unk_token_id not in coded.batch(range(len(coded))).input_ids
        assert recovered(coded) == {row: {answers[0][1]} for row, answers in enumerate(split.answers) if answers}


def test_real_answers_are_found_again(shared: Path, tmp_path: Path) -> None:
    train = load("squad", str(shared / "data" / "squad")).train.first(1500)
    tokenizer = byte_pairs(*{context for _, context in train.texts[:200]})
    for length in (128, 384):
        coded = encode(train, tokenizer, max_length=length, regression=False, cache=tmp_path)
        found = recovered(coded)
        right = [exact_match(next(iter(found.get(row, {""}))), [one[0][1]]) for row, one in enumerate(train.answers)]
        assert np.mean(right) > 0.99
        assert all(len(texts) == 1 for texts in found.values())
