"""Augmented sentences on disk: one folder for one set of sentences, a file for every 1,000 of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

SIZE = 1_000  # sentences of a shard


def parts(sentences: Sequence[str]) -> list[Sequence[str]]:
    """The sentences of each shard."""
    return [sentences[start : start + SIZE] for start in range(0, len(sentences), SIZE)]


def shard_file(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.parquet"


def write(folder: Path, number: int, variants: Sequence[Sequence[str]]) -> None:
    """Writes a shard: a list of variants for each of its sentences, the sentence itself first.

    It appears under its name complete or not at all; where two processes write it, the later one's stays.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{number}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        column = pa.array([list(each) for each in variants], type=pa.list_(pa.string()))
        pq.write_table(pa.table({"variants": column}), scratch, compression="zstd", write_page_checksum=True)
        scratch.replace(shard_file(folder, number))
    finally:
        scratch.unlink(missing_ok=True)


def read(folder: Path, number: int, sentences: Sequence[str]) -> list[list[str]] | None:
    """The variants of the shard's sentences; None if it is absent, damaged, or of other sentences."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = shard_file(folder, number)
    if not file.exists():
        return None
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as content:
            table = content.read()
        if table.schema.names != ["variants"] or table.schema.types != [pa.list_(pa.string())]:
            return None
        rows: list[list[str]] = table.column("variants").to_pylist()
    except (pa.ArrowException, OSError, ValueError):
        return None
    fits = len(rows) == len(sentences) and all(row and row[0] == sentences[i] for i, row in enumerate(rows))
    return rows if fits else None
