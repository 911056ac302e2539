"""What MLflow serves answers as raykd itself does, though it imports nothing of it."""

from __future__ import annotations

import string
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from raykd.answer import predict
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.tasks.task import NO_ANSWER
from raykd.tracking.signature import columns_of
from raykd.train.config import TaskSpec, Training

SPANS = ("f1", "exact_match")
TASKS = {
    "classes": TaskSpec(
        name="rte", texts=("one", "other"), labels=("no", "yes"), metrics=("accuracy",), primary="accuracy"
    ),
    "number": TaskSpec(name="stsb", texts=("one", "other"), labels=(), metrics=("pearson",), primary="pearson"),
    "span": TaskSpec(name="squad", labels=(), metrics=SPANS, primary="f1", kind="span"),
    "span or none": TaskSpec(name="squad_v2", labels=(), metrics=(*SPANS, NO_ANSWER), primary="f1", kind="span"),
}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def student(task: TaskSpec, folder: Path) -> Path:
    """A random student that reads letters, 24 of them at a time."""
    tokenizer = word_tokenizer(list(string.ascii_lowercase))
    model = scratch_classifier(tokenizer, task.head, layers=1, hidden=16, heads=2, intermediate=24, seed=0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8)  # or all its answers were much alike
    about = {"spec": {"task": task.model_dump(), "training": Training(max_length=24).model_dump()}}
    with quiet():
        save_student(model, tokenizer, folder, card=about)
    return folder


def texts(n: int = 40) -> list[list[str]]:
    """Pairs of 1 to 12 and 1 to 70 letters: longer than a window, and than a question's share of it; some of 1 or 2."""
    chance = Random(1)
    lengths = [(chance.randint(1, 12), chance.randint(1, chance.choice((2, 70)))) for _ in range(n)]
    return [[" ".join(chance.choices("abcdefghij", k=length)) for length in pair] for pair in lengths]


@pytest.mark.parametrize("kind", TASKS)
def test_it_answers_as_raykd_does(kind: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():  # of MLflow's own type hints, when it is imported
        warnings.simplefilter("ignore")
        from raykd.tracking.served import Student

    folder = student(TASKS[kind], tmp_path / "student")
    served = Student()
    context: Any = SimpleNamespace(artifacts={"student": str(folder)})
    with quiet():
        served.load_context(context)
    rows = texts()
    given = served.predict(None, pd.DataFrame(rows, columns=[*columns_of(TASKS[kind])]))
    wanted = list(predict(folder, rows))
    assert len(given) == len(wanted) == 40
    for answer, own in zip(given, wanted, strict=True):
        if kind.startswith("span"):
            assert answer["answer"] == own["answer"]
            assert answer["score"] == pytest.approx(own["score"], rel=1e-4)
        elif kind == "classes":
            assert answer["label"] == own["label"]
            assert answer["probabilities"] == pytest.approx(own["probabilities"], rel=1e-4)
        else:
            assert answer["score"] == pytest.approx(own["score"], rel=1e-4)
    answers = {str(answer.get("answer")) for answer in given}
    assert ("" in answers) is (kind == "span or none")
    assert len(answers) > 10 or not kind.startswith("span")
