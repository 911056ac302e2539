"""The values that loading yields: splits of texts and labels, and where they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from raykd.tasks.row_hashes import row_hashes
from raykd.tasks.task import Task

Answer = tuple[int, str]  # where it starts in the context, in characters, and its text


@dataclass(frozen=True)
class Split:
    """Rows of one split: each has one or two texts and a class index or a real number.

    Where spans are asked for, the texts are question and context, `answers` holds each row's right ones (the first is
    learned, every one counts), and the label is 1, or 0 for a question that the context does not answer.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[int | float, ...]
    answers: tuple[tuple[Answer, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, n: int | None) -> Split:
        """The first n rows, or all of them."""
        if n is None or n >= len(self):
            return self
        return Split(self.texts[:n], self.labels[:n], self.answers[:n])

    def take(self, rows: Iterable[int]) -> Split:
        """The rows of these numbers, in their order."""
        chosen = list(rows)
        answers = tuple(self.answers[i] for i in chosen) if self.answers else ()
        return Split(tuple(self.texts[i] for i in chosen), tuple(self.labels[i] for i in chosen), answers)


@dataclass(frozen=True)
class Columns:
    """Column names in the user's own files; empty = the names that the task has on the hub."""

    texts: tuple[str, ...] = ()
    label: str | None = None

    def given(self) -> bool:
        """True when the user named any."""
        return bool(self.texts) or self.label is not None


@dataclass(frozen=True)
class Data:
    """All a run learns from and is judged by."""

    task: Task
    train: Split
    dev: dict[str, Split]  # the first entry selects
    source: str  # one line for a person
    notes: tuple[str, ...]  # what was dropped, inferred, cut
    fingerprint: str  # hash of the content
    stride: int | None = None  # tokens that consecutive windows of a context share, for spans
    name: str = ""  # of a task of one's own, by its data: models, experiments and folders go by it
    split_seed: int = 0  # decides which rows are held out
    file_hash: str = ""  # of all rows of a file of one's own, before any was held out

    @property
    def identity(self) -> str:
        """The name under which models, experiments and folders of this task and data go."""
        return self.name or self.task.name


def content_hash(task: Task, *splits: Split) -> str:
    """16 hexadecimal digits over the rows of all splits together, in whatever order and split they are."""
    rows = (
        (*texts, str(task.labels[int(label)] if task.labels else label))
        for split in splits
        for texts, label in zip(split.texts, split.labels, strict=True)
    )
    return hashlib.sha256(np.sort(row_hashes(rows)).tobytes()).hexdigest()[:16]


def fingerprint(task: Task, train: Split, dev: dict[str, Split]) -> str:
    """16 hexadecimal digits over class names, texts, labels and answers of all splits."""
    digest = hashlib.sha256(json.dumps([task.name, task.labels]).encode())
    for name, split in (("train", train), *dev.items()):
        digest.update(json.dumps([name, len(split)]).encode())
        for texts, label in zip(split.texts, split.labels, strict=True):
            digest.update(json.dumps([texts, label]).encode())
        if split.answers:
            digest.update(json.dumps(split.answers).encode())
    return digest.hexdigest()[:16]
