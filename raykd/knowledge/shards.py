"""A part of the store: one need of one split, in a folder of shards that are written whole, in any order, by anyone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raykd.knowledge import sealed
from raykd.knowledge.forms import FORMAT, Form, described, from_description, name

ABOUT = "about.json"
MOST_BYTES = 64 * 2**20  # of a shard, unless one row is larger
MOST_ROWS = 4096  # so that workers have small jobs to share


class Damaged(Exception):
    """A part, or one shard of it (None: the part as a whole), is not what was written."""

    def __init__(self, part: str, shard: int | None, why: str) -> None:
        super().__init__(f"{part}{'' if shard is None else f', shard {shard}'}: {why}")
        self.part, self.shard, self.why = part, shard, why

    def __reduce__(self) -> tuple[Any, ...]:  # carried between processes
        return Damaged, (self.part, self.shard, self.why)


@dataclass(frozen=True)
class About:
    """What a part holds. sizes: bytes of numbers of each shard; shard k holds rows from k * rows_per_shard on."""

    form: Form
    teacher: str  # digest of the weights
    data: str  # key of the tokenised split
    rows: int
    rows_per_shard: int
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, form: Form, teacher: str, data: str, lengths: np.ndarray, rows_per_shard: int | None = None) -> About:
        """For rows of `lengths` [N] tokens. rows_per_shard: as many as the limits allow unless given."""
        sizes = form.numbers(lengths) * form.dtype.itemsize
        many = rows_per_shard or _rows_per_shard(sizes)
        return cls(form, teacher, data, len(sizes), many, tuple(_sums(sizes, many).tolist()))

    @property
    def name(self) -> str:
        """The part's folder: see forms.name."""
        return name(self.form.need, self.teacher, self.data, self.form.precision)

    def alike(self, other: About) -> bool:
        """Whether both hold the same numbers; how they are cut into shards may differ."""
        return (self.form, self.rows, sum(self.sizes)) == (other.form, other.rows, sum(other.sizes))


class Part:
    """The folder of a part. Pickles as its path and description."""

    def __init__(self, folder: Path, about: About) -> None:
        self.folder = folder
        self.about = about
        self.key = about.name[-16:]

    @classmethod
    def create(cls, root: Path, about: About) -> Part:
        """The part below `root`: as it is there, or without any shard. Of several at a time, all get the same one.

        Raises OSError where the disk is full or fails.
        """
        folder = root.absolute() / about.name
        scratch = root / f"{sealed.TEMPORARY}{uuid.uuid4().hex}"
        try:
            scratch.mkdir(parents=True)
            _write_about(scratch / ABOUT, about)
            with suppress(OSError):  # it is there
                scratch.rename(folder)
            with suppress(Damaged):
                found = cls.open(folder)
                if found.about.alike(about):
                    return found
            os.replace(scratch / ABOUT, folder / ABOUT)  # a description only: shards say by themselves what they are
            return cls.open(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @classmethod
    def open(cls, folder: Path) -> Part:
        """The part that lies in `folder`. Raises Damaged where its description is absent or not what was written."""
        try:
            about = _read_about(folder / ABOUT)
        except OSError as error:
            raise Damaged(folder.name, None, f"{ABOUT}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Damaged(folder.name, None, f"{ABOUT} is not what was written ({error})") from error
        if not folder.name.endswith(about.name):  # a node's copy has more before it
            raise Damaged(folder.name, None, f"it holds {about.name}")
        return cls(folder.absolute(), about)

    def __len__(self) -> int:
        """How many shards it has once it is complete."""
        return len(self.about.sizes)

    def rows(self, shard: int) -> range:
        """The rows of the split that a shard holds."""
        first = shard * self.about.rows_per_shard
        return range(first, min(first + self.about.rows_per_shard, self.about.rows))

    def file(self, shard: int) -> Path:
        """Where a shard lies, or will lie."""
        return self.folder / f"shard-{shard:05d}.bin"

    def write(self, shard: int, rows: Iterable[np.ndarray]) -> None:
        """Writes a shard: what packing.pack gave for `self.rows(shard)`, in that order.

        Raises OSError where the disk is full or fails, ValueError for rows that do not fill the shard.
        """
        sealed.write(self.file(shard), self.key, shard, self.about.sizes[shard], rows)

    def map(self, shard: int) -> np.ndarray:
        """All numbers of a shard, mapped into memory. Raises Damaged; its checksum is for `verify`."""
        try:
            return sealed.mapped(self.file(shard), self.key, shard, self.about.sizes[shard], self.about.form.dtype)
        except ValueError as error:
            raise Damaged(self.folder.name, shard, str(error)) from error

    def missing(self) -> list[Damaged]:
        """The shards that are absent or of the wrong size: what is still to be written. Reads no shard."""
        problems = [(shard, sealed.wrong_size(self.file(shard), size)) for shard, size in enumerate(self.about.sizes)]
        return [Damaged(self.folder.name, shard, why) for shard, why in problems if why is not None]

    def verify(self) -> list[Damaged]:
        """The shards that are there and not what was written. Reads all of them."""
        damaged = []
        for shard, size in enumerate(self.about.sizes):
            if not self.file(shard).exists():
                continue
            if why := sealed.wrong_content(self.file(shard), self.key, shard, size):
                damaged.append(Damaged(self.folder.name, shard, why))
        return damaged

    def discard(self, shard: int) -> None:
        """Removes a shard, which is missing then; who has it mapped keeps what was there."""
        self.file(shard).unlink(missing_ok=True)


def _sums(sizes: np.ndarray, many: int) -> np.ndarray:
    """The sum of each `many` of `sizes`."""
    return np.add.reduceat(sizes, np.arange(0, len(sizes), many)) if len(sizes) else sizes


def _rows_per_shard(sizes: np.ndarray) -> int:
    """The most rows a shard may hold so that none is too large."""
    many = max(1, min(MOST_ROWS, len(sizes)))
    while many > 1 and (largest := int(_sums(sizes, many).max())) > MOST_BYTES:
        many = max(1, min(many - 1, many * MOST_BYTES // largest))
    return many


def _write_about(file: Path, about: About) -> None:
    form = about.form
    content: dict[str, Any] = {
        "format": FORMAT,
        "need": described(form.need),
        "teacher": about.teacher,
        "data": about.data,
        "precision": form.precision,
        "layout": form.layout,
        "width": form.width,
        "rows": about.rows,
        "rows_per_shard": about.rows_per_shard,
        "shard_bytes": list(about.sizes),
    }
    with file.open("w", encoding="utf-8") as stream:
        json.dump({**content, "sha256": _digest(content)}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())


def _read_about(file: Path) -> About:
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.pop("sha256") != _digest(content):
        raise ValueError("its SHA-256 differs")
    form = Form(from_description(content["need"]), content["layout"], content["width"], content["precision"])
    teacher, data, rows, many = (content[field] for field in ("teacher", "data", "rows", "rows_per_shard"))
    return About(form, teacher, data, rows, many, tuple(content["shard_bytes"]))


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
