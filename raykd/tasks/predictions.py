"""What a model answered, row by row: small enough to keep of every evaluation, enough to compare two models by.

Comparisons need more than a score: two models are judged on the same examples, and most of what makes a score on 277
sentences uncertain, their difficulty, is the same for both and drops out of the difference.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from raykd.tasks import spans
from raykd.tasks.jackknife import leave_one_out
from raykd.tasks.metrics import Labels, Scored, score
from raykd.tasks.questions import Questions

if TYPE_CHECKING:
    from raykd.tasks.encoded import Encoded

_KINDS: dict[str, np.dtype[Any]] = {  # b: a bit each
    "b": np.dtype("u1"),
    "B": np.dtype("u1"),
    "H": np.dtype("<u2"),
    "f": np.dtype("<f4"),
}
_HEADER = struct.Struct("<cI")  # kind and number of answers


class Answered(Scored, Protocol):
    """The part of a task that answers depend on."""

    @property
    def kind(self) -> str:
        """What an answer is: "classes", "number" or "span"."""


@dataclass(frozen=True)
class _Primary:
    """A task of which only the primary metric is computed."""

    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    primary: str
    regression: bool


def answers_of(task: Answered, logits: np.ndarray, split: Encoded) -> np.ndarray:
    """The answers in logits as `raykd.train.evaluate.predict` gives them, in the order of the split's rows.

    Classes: the class with the highest logit, uint8 [N] (uint16 if there are more than 255). A number: float32 [N].
    Spans: the primary metric of the answer to each question, float32 [Q]; answers are texts, and to compare two models
    it is enough to know how good each was.
    Raises ValueError for logits that are not finite (a diverged model has no answers).
    """
    if not np.isfinite(logits).all():
        raise ValueError("logits are not finite")
    if task.kind == "span":
        questions = Questions.of(split)
        right = spans.METRICS[task.primary]
        found = spans.find(task, logits, questions)
        values = [right(one.text, wanted) for one, wanted in zip(found, questions.answers, strict=True)]
        return np.array(values, dtype=np.float32)
    if task.kind == "number":
        return logits.reshape(len(logits)).astype(np.float32)
    return logits.argmax(axis=1).astype(np.uint8 if len(task.labels) <= 255 else np.uint16)


def pack(answers: np.ndarray) -> str:
    """Answers [N] as ASCII text that `unpack` reads. 277 answers of two classes take 76 characters at most.

    Raises ValueError for anything but uint8, uint16 or float32 in one dimension.
    """
    kind = {"u1": "B", "u2": "H", "f4": "f"}.get(answers.dtype.str[1:])
    if kind is None or answers.ndim != 1:
        raise ValueError(f"answers of type {answers.dtype} and shape {answers.shape} cannot be packed")
    if kind == "B" and (answers <= 1).all():
        kind, body = "b", np.packbits(answers).tobytes()
    else:
        body = answers.astype(_KINDS[kind]).tobytes()
    whole = _HEADER.pack(kind.encode(), len(answers)) + body
    return base64.b64encode(zlib.compress(whole, 9)).decode("ascii")


def unpack(text: str) -> np.ndarray:
    """The answers that were packed, of the same type. Raises ValueError for damage to the text, but for such as changes
    no answer."""
    try:
        packed = base64.b64decode(text, validate=True)
        reader = zlib.decompressobj()
        whole = reader.decompress(packed)  # zlib's checksum covers header and answers
        kind, count = _HEADER.unpack_from(whole)
        dtype = _KINDS[kind.decode("ascii")]
    except (ValueError, KeyError, zlib.error, struct.error) as error:
        raise ValueError(f"packed answers are damaged: {error}") from error
    body = whole[_HEADER.size :]
    length = (count + 7) // 8 if kind == b"b" else count * dtype.itemsize
    if not reader.eof or reader.unused_data or len(body) != length:
        raise ValueError(f"packed answers are damaged: {len(body)} bytes for {count} answers")
    if base64.b64encode(packed).decode("ascii") != text:  # bits that decoding drops
        raise ValueError("packed answers are damaged: not as they were encoded")
    if kind == b"b":
        return np.unpackbits(np.frombuffer(body, np.uint8), count=count)
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("="))


def goodness(task: Answered, answers: np.ndarray, labels: Labels) -> np.ndarray:
    """How good each answer is, float64 [N], higher is better: 1 or 0 for a right or a wrong class, minus the squared
    error of a number, the value itself for a span, whose labels are not looked at.

    Raises ValueError if there are not as many labels as answers.
    """
    if task.kind == "span":
        return answers.astype(np.float64)
    truth = _truth(answers, labels)
    if task.kind == "number":
        return -((answers.astype(np.float64) - truth) ** 2)
    return (answers == truth).astype(np.float64)


def score_of(task: Answered, answers: np.ndarray, labels: Labels) -> float:
    """The primary metric of the answers, the same number that an evaluation reports (of spans, to float32).

    Raises ValueError for no answers, or not as many as labels.
    """
    if task.kind == "span":
        if not len(answers):
            raise ValueError("no answers")
        return float(answers.astype(np.float64).mean())
    truth = _truth(answers, labels)
    logits = answers if task.kind == "number" else np.eye(len(task.labels))[answers]
    only = _Primary(task.labels, (task.primary,), task.primary, task.regression)
    return score(only, logits, truth)[task.primary]


def pseudo_values(task: Answered, answers: np.ndarray, labels: Labels) -> np.ndarray:
    """[N] float64: what each row contributes to the primary metric, so that any metric can be treated as a mean.

    The jackknife's pseudo-values (Tukey 1958), ``N * metric - (N - 1) * metric without the row``. Of accuracy and of
    spans they are the rows' own values and their mean is the metric; of other metrics it is nearly so (it lacks the
    bias of order 1 / N). A metric that is undefined without a row counts as 0.0 there, as everywhere: never NaN.
    Raises ValueError for no answers, or not as many as labels.
    """
    whole = score_of(task, answers, labels)
    if task.kind == "span" or task.primary == "accuracy":
        return goodness(task, answers, labels)
    count = len(answers)
    if count == 1:
        return np.array([whole])
    return count * whole - (count - 1) * leave_one_out(task.primary, np.asarray(labels), answers)


def _truth(answers: np.ndarray, labels: Labels) -> np.ndarray:
    truth = np.asarray(labels)
    if truth.shape != answers.shape:
        raise ValueError(f"{answers.shape} answers for {truth.shape} labels")
    return truth
