"""Spans in training's own terms: what is predicted of windows, how it is scored, and that a model learns by it."""

from __future__ import annotations

import string
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from raykd.answer import predict as answers_of
from raykd.errors import UserError
from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.tasks.data import Split
from raykd.tasks.encode import encode
from raykd.tasks.questions import Questions
from raykd.train.config import TaskSpec, Training
from raykd.train.evaluate import evaluate, measure, predict
from raykd.train.teach import Lesson, teach

TASK = TaskSpec(name="squad", labels=(), metrics=("f1", "exact_match"), primary="f1", kind="span")
CPU = torch.device("cpu")
LETTERS = list(string.ascii_lowercase)


def easy(n: int, seed: int) -> Split:
    """The answer is the only x, or x y, among 5 to 40 other letters: what a small model learns in seconds."""
    chance = Random(seed)
    texts, answers = [], []
    for _ in range(n):
        words = chance.choices("abcdefgh", k=chance.randint(5, 40))
        place = chance.randrange(len(words))
        words[place : place + 1] = chance.choice((["x"], ["x", "y"]))
        context = " ".join(words)
        start = context.index("x")
        texts.append(("where", context))
        answers.append(((start, context[start : start + 3] if "y" in words else "x"),))
    return Split(tuple(texts), (1,) * n, tuple(answers))


def test_a_spec_says_its_kind_or_its_labels_do() -> None:
    assert TASK.head == Head((), span=True)
    assert not TASK.regression
    again = TaskSpec.model_validate(TASK.model_dump())
    assert again == TASK
    old = {"name": "x", "metrics": ["pearson"], "primary": "pearson"}
    assert TaskSpec.model_validate({**old, "labels": []}).kind == "number"
    assert TaskSpec.model_validate({**old, "labels": ["a", "b"]}).kind == "classes"
    assert TaskSpec(name="x", labels=("a", "b"), metrics=("f1",), primary="f1").head == Head(("a", "b"))


def test_logits_are_those_of_each_window_and_padding_is_zero(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(LETTERS)
    model = scratch_classifier(tokenizer, TASK.head, layers=1, hidden=16, heads=2, intermediate=24, seed=0).train()
    split = encode(easy(30, 1), tokenizer, max_length=24, regression=False, cache=tmp_path)
    assert len(split) > 30
    logits = predict(model, split, device=CPU)
    assert model.training
    assert logits.shape == (len(split), 24, 2)
    assert logits.dtype == np.float32
    model.eval()
    for row in (0, 7, len(split) - 1):
        batch = split.batch([row])
        alone = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        length = int(split.lengths[row])
        assert np.allclose(logits[row, :length, 0], alone.start_logits.detach().numpy(), atol=1e-5)
        assert np.allclose(logits[row, :length, 1], alone.end_logits.detach().numpy(), atol=1e-5)
        assert not logits[row, length:].any()
    assert set(evaluate(model, TASK, {"dev": split}, device=CPU)) == {"dev/f1", "dev/exact_match"}


def test_labels_as_logits_score_all(tmp_path: Path) -> None:
    split = encode(easy(30, 1), word_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    logits = np.zeros((len(split), 24, 2), dtype=np.float32)
    for window, (start, end) in enumerate(np.asarray(split.labels)):
        logits[window, start, 0] = logits[window, end, 1] = 9.0 if start else 0.0
    assert measure(TASK, logits, split) == {"f1": 1.0, "exact_match": 1.0}
    assert measure(TASK, np.zeros_like(logits), split)["f1"] < 0.2


def test_a_small_model_learns_spans_and_answers(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(["where", *LETTERS])
    model = scratch_classifier(tokenizer, TASK.head, layers=1, hidden=32, heads=2, intermediate=64, dropout=0.0, seed=0)
    train, dev = (
        encode(easy(n, seed), tokenizer, max_length=24, regression=False, cache=tmp_path)
        for n, seed in ((400, 1), (60, 2))
    )
    training = Training(learning_rate=3e-3, epochs=3, batch_size=32, max_length=24, evaluations=2)
    folder, scores = teach(
        model,
        tokenizer,
        Lesson(train, {"dev": dev}, TASK, training, 1),
        tmp_path / "taught",
        lambda _: None,
        source="x",
    )
    assert folder == tmp_path / "taught"
    assert scores["dev/exact_match"] > 0.9
    long = ["a"] * 30 + ["x", "y"] + ["b"] * 30
    [found] = answers_of(tmp_path / "taught", [("where", " ".join(long))])
    assert found["answer"] == "x y"
    assert 0 < found["score"] <= 1
    assert found["text"] == ["where", " ".join(long)]
    with pytest.raises(UserError, match=r"2 \(question, context\)"):
        list(answers_of(tmp_path / "taught", [("where",)]))


def test_questions_are_read_as_written(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(LETTERS)
    model = scratch_classifier(tokenizer, TASK.head, layers=1, hidden=16, heads=2, intermediate=24, seed=0)
    card = {"spec": {"task": TASK.model_dump(), "training": Training(max_length=24).model_dump()}}
    save_student(model, tokenizer, tmp_path / "student", card=card)
    rows = [("who", "Zoe\u0308 \U0001f600 A B"), ("who", " ")]
    found = [answer["answer"] for answer in answers_of(tmp_path / "student", rows)]
    assert found[0]
    assert found[0] in rows[0][1]
    assert found[1] is None


def test_the_split_knows_its_questions(tmp_path: Path) -> None:
    split = encode(easy(5, 1), word_tokenizer(LETTERS), max_length=24, regression=False, cache=tmp_path)
    questions = Questions.of(split)
    assert len(questions) == 5
    assert questions.first.tolist() == [int(np.flatnonzero(questions.rows == row)[0]) for row in range(5)]
