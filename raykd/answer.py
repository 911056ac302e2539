"""A saved student at work: scores on rows that are new to it, and answers for new texts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.card import ModelCard, read_card
from raykd.cpus import use_threads
from raykd.errors import UserError
from raykd.models.classifier import load_classifier
from raykd.models.tokenizer import load_tokenizer
from raykd.scoring_rows import load_scoring_rows
from raykd.tasks import spans
from raykd.tasks.data import Split
from raykd.tasks.encode import encode
from raykd.tasks.questions import Questions
from raykd.tasks.source import Source
from raykd.train.evaluate import evaluate as score_splits
from raykd.train.evaluate import predict as logits_of
from raykd.workspace import here

Row = str | Sequence[str]  # one text, or the one or two of a row


def evaluate(
    student: str | Path,
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    task: str | None = None,
    say: Callable[[str], object] = lambda sentence: None,
) -> dict[str, float]:
    """Score a saved student on rows that are new to it.

    Args:
        student: Its folder.
        source: The rows: dev splits of a named task, or all rows of a file but for those that the student has seen.
        task: The task of `source`, where it is not the one that the student was made for; the labels must agree.
        say: Takes a sentence at a time about what was read.

    Returns:
        Every metric by ``split/metric``, e.g. ``dev/accuracy``.

    Raises:
        UserError: A folder that is no student, rows that cannot be read, unknown labels, no row that is new to it.
    """
    folder = Path(student)
    card = read_card(folder)
    rows = load_scoring_rows(card, source, task, folder, say)
    wanted = rows.task
    model, tokenizer = load_classifier(folder, wanted.head), load_tokenizer(folder)
    use_threads()
    stride = wanted.stride if source.doc_stride is None else source.doc_stride
    splits = {
        name: encode(
            split,
            tokenizer,
            max_length=card.max_length,
            regression=wanted.regression,
            cache=here().cache,
            stride=stride or card.task.stride,
        )
        for name, split in rows.splits.items()
    }
    for name, split in splits.items():
        if split.truncated and wanted.kind != "span":
            say(f"data: {split.truncated:,} of {len(split):,} rows of {name} cut to {card.max_length} tokens")
        _say_absent(wanted.labels, rows.splits[name], name, say)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return score_splits(model, wanted, splits, device=device)
    except ValueError as error:  # its answers are not numbers
        raise UserError(f"student '{folder}' cannot be scored: {error}") from error


def predict(student: str | Path, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Answer new texts.

    Args:
        student: Folder of a saved student.
        rows: A text each, or the two of a pair (for spans, question and context).

    Yields:
        One record a row, in order: its ``text`` with ``label`` and ``probabilities``, the ``score`` of a regression, or
        the ``answer`` ("" for none) with its probability as ``score``. A row without text has None for an answer.

    Raises:
        UserError: No rows, rows with another number of texts than the student reads, damaged weights.
    """
    folder = Path(student)
    card = read_card(folder)
    texts = [(row,) if isinstance(row, str) else tuple(row) for row in rows]
    _check_texts(card, texts)
    full = [index for index, row in enumerate(texts) if all(text.strip() for text in row)]
    answers = iter(_answers(folder, card, [texts[index] for index in full])) if full else iter(())
    blank = dict.fromkeys(_fields(card))
    kept = set(full)
    for index, row in enumerate(texts):
        yield {"text": list(row), **(next(answers) if index in kept else blank)}


def _fields(card: ModelCard) -> tuple[str, ...]:
    """What a record holds beside its text."""
    return {"span": ("answer", "score"), "number": ("score",), "classes": ("label", "probabilities")}[card.task.kind]


def _check_texts(card: ModelCard, rows: Sequence[tuple[str, ...]]) -> None:
    if not any(text.strip() for row in rows for text in row):
        raise UserError("nothing to predict: no text was given")
    names = card.task.text_names
    wrong = [number for number, row in enumerate(rows, start=1) if len(row) not in ([len(names)] if names else [1, 2])]
    if wrong:
        wanted = f"{len(names)} ({', '.join(names)})" if names else "1 or 2"
        lines = ", ".join(map(str, wrong[:5])) + (", ..." if len(wrong) > 5 else "")
        raise UserError(
            f"{len(wrong):,} of {len(rows):,} rows have another number of texts than the student reads, which is "
            f"{wanted} (row {lines}; the first of them has {len(rows[wrong[0] - 1])})"
        )
    if not names and len({len(row) for row in rows}) > 1:
        raise UserError("every row must have the same number of texts, one or two")


def _answers(folder: Path, card: ModelCard, rows: Sequence[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """The answer of every row, each of which has text."""
    spec = card.task
    span = spec.kind == "span"
    model, tokenizer = load_classifier(folder, spec.head), load_tokenizer(folder)
    use_threads()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = Split(tuple(rows), (0,) * len(rows), ((),) * len(rows) if span else ())
    length, regression = card.max_length, spec.regression
    with tempfile.TemporaryDirectory() as scratch:  # what is asked about is not kept
        coded = encode(
            split, tokenizer, max_length=length, regression=regression, cache=Path(scratch), stride=spec.stride
        )
        logits = logits_of(model, coded, device=device)
        if not np.isfinite(logits).all():
            raise UserError(f"student '{folder}' answers with NaN or infinity: its weights are damaged")
        if span:
            for answer in spans.find(spec, logits, Questions.of(coded)):
                yield {"answer": answer.text, "score": answer.probability}
            return
    for row in logits.astype(np.float64):
        if regression:
            yield {"score": float(row[0])}
            continue
        shares = np.exp(row - row.max())
        shares /= shares.sum()
        probabilities = dict(zip(spec.labels, map(float, shares), strict=True))
        yield {"label": spec.labels[int(shares.argmax())], "probabilities": probabilities}


def _say_absent(labels: Sequence[str], split: Split, name: str, say: Callable[[str], object]) -> None:
    """A word where a class does not occur among the rows that score."""
    present = set(split.labels)
    absent = [label for index, label in enumerate(labels) if index not in present]
    if absent:
        say(f"data: {name} has no row of class {', '.join(absent)}")
