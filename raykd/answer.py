"""A saved student at work: scores on a split, and answers for new texts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.cpus import use_threads
from raykd.errors import UserError
from raykd.models.classifier import load_classifier
from raykd.models.save import CARD
from raykd.models.source import check_folder, read_json
from raykd.models.tokenizer import load_tokenizer
from raykd.tasks import spans
from raykd.tasks.data import Split
from raykd.tasks.encode import encode
from raykd.tasks.questions import Questions
from raykd.tasks.source import Source
from raykd.teachers import task_spec
from raykd.train.config import TaskSpec, Training
from raykd.train.evaluate import evaluate as score_splits
from raykd.train.evaluate import predict as logits_of
from raykd.workspace import here

Row = Sequence[str]  # one text, or the two of a pair


def card(student: Path) -> tuple[TaskSpec, int]:
    """The task a student was made for and its maximum length, from the card that raykd saved with it."""
    check_folder(student, role="student")
    file = student / CARD
    if not file.is_file():
        raise UserError(f"'{student}' was not made by raykd: it has no {CARD}")
    spec = read_json(file).get("spec")
    if spec is None:
        raise UserError(f"'{student}' is an encoder of the general stage: it was made for no task")
    try:
        return TaskSpec.model_validate(spec["task"]), Training.model_validate(spec["training"]).max_length
    except (KeyError, TypeError, ValueError) as error:  # pydantic's are ValueErrors
        raise UserError(f"'{student}': {CARD} is not as raykd writes it: {error!r}") from error


def evaluate(student: str | Path, source: Source = Source(), *, task: str | None = None) -> dict[str, float]:  # noqa: B008
    """Every metric of the student on the dev splits of `source`, named ``split/metric``.

    task: where it differs from the one the student was made for (the labels must agree).
    """
    folder = Path(student)
    spec, length = card(folder)
    data = source.load(task or spec.name, seed=1)
    wanted = task_spec(data)
    model, tokenizer = load_classifier(folder, wanted.head), load_tokenizer(folder)
    use_threads()
    splits = {
        name: encode(
            split,
            tokenizer,
            max_length=length,
            regression=wanted.regression,
            cache=here().cache,
            stride=wanted.stride or spec.stride,
        )
        for name, split in data.dev.items()
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return score_splits(model, wanted, splits, device=device)
    except ValueError as error:  # its answers are not numbers
        raise UserError(f"student '{folder}' cannot be scored: {error}") from error


def predict(student: str | Path, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """One answer a row, in order: its label with all probabilities, the number of a regression, or for a question and
    its context the span that answers it ("" for none) with its probability."""
    folder = Path(student)
    spec, length = card(folder)
    span = spec.kind == "span"
    if not rows:
        raise UserError("nothing to predict: no text was given")
    if len({len(row) for row in rows}) > 1 or len(rows[0]) not in (1, 2):
        raise UserError("every row must have the same number of texts, one or two (separated by a tab)")
    if span and len(rows[0]) != 2:
        raise UserError("every row must be a question and its context, separated by a tab")
    model, tokenizer = load_classifier(folder, spec.head), load_tokenizer(folder)
    use_threads()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = Split(tuple(tuple(row) for row in rows), (0,) * len(rows), ((),) * len(rows) if span else ())
    with tempfile.TemporaryDirectory() as scratch:  # what is asked about is not kept
        coded = encode(
            split,
            tokenizer,
            max_length=length,
            regression=spec.regression,
            cache=Path(scratch),
            stride=spec.stride,
        )
        logits = logits_of(model, coded, device=device)
        if not np.isfinite(logits).all():
            raise UserError(f"student '{folder}' answers with NaN or infinity: its weights are damaged")
        found = spans.find(spec, logits, Questions.of(coded)) if span else []
    if span:
        for row, one in zip(rows, found, strict=True):
            yield {"text": list(row), "answer": one.text, "score": one.probability}
        return
    for row, answer in zip(rows, logits.astype(np.float64), strict=True):
        if spec.regression:
            yield {"text": list(row), "score": float(answer[0])}
            continue
        shares = np.exp(answer - answer.max())
        shares /= shares.sum()
        best = int(shares.argmax())
        probabilities = dict(zip(spec.labels, map(float, shares), strict=True))
        yield {"text": list(row), "label": spec.labels[best], "probabilities": probabilities}
