"""What a Ray worker does to build the store: one shard of the rows, of every part that wants it."""

from __future__ import annotations

import functools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from raykd import storage
from raykd.cpus import use_threads
from raykd.knowledge.fill import fill
from raykd.knowledge.shards import About, Part
from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.models.classifier import Head, load_classifier
from raykd.models.source import Version, version
from raykd.tasks.encode import Encoded


@dataclass(frozen=True)
class Job:
    """teacher, train: folders or URLs; root: of the store; abouts: the parts, with equally many rows a shard."""

    teacher: str
    head: Head
    train: str
    root: str
    abouts: tuple[About, ...]
    threads: int


@dataclass(frozen=True)
class Spent:
    """rows that the teacher was asked about, the seconds that it took to answer (answering) and those with packing and
    writing what it said (storing), of all workers together."""

    rows: int = 0
    answering: float = 0.0
    storing: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.rows + other.rows, self.answering + other.answering, self.storing + other.storing)

    @property
    def pace(self) -> float | None:
        """Seconds a row; None where nothing was asked."""
        return self.answering / self.rows if self.rows else None


@dataclass(frozen=True)
class Filled:
    """What came of a shard. refused: parts that cannot be stored, and why (see fill)."""

    refused: list[str]
    spent: Spent


def fill_shard(job: Job, shard: int) -> Filled:
    """Write shard number `shard` of the job's parts."""
    use_threads(job.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = storage.at_hand(job.teacher)
    teacher = _teacher(folder, version(folder), job.head)
    train = _train(storage.at_hand(job.train))
    took: list[tuple[int, float]] = []

    def asked(rows: int, seconds: float) -> None:
        took.append((rows, seconds))

    began = time.perf_counter()
    if storage.is_url(job.root):
        with tempfile.TemporaryDirectory(prefix="raykd-shard-") as scratch:
            parts = [Part.create(Path(scratch), about) for about in job.abouts]
            refused = fill(parts, shard, teacher, train, device, asked)
            for part in parts:
                if part.file(shard).exists():
                    storage.send(part.folder, storage.join(job.root, part.about.name))
    else:
        parts = [Part(Path(job.root) / about.name, about) for about in job.abouts]
        refused = fill(parts, shard, teacher, train, device, asked)
    rows, answering = sum(rows for rows, _ in took), sum(seconds for _, seconds in took)
    return Filled(refused, Spent(rows, answering, time.perf_counter() - began))


@functools.lru_cache(maxsize=1)
def _teacher(folder: Path, version: Version, head: Head) -> Teacher:
    return live_teacher(load_classifier(folder, head))


@functools.lru_cache(maxsize=1)
def _train(folder: Path) -> Encoded:
    return Encoded.open(folder)
