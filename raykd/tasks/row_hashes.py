"""What makes two rows the same: their texts. Hashes by which splits are drawn and compared, wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np


def row_key(texts: Sequence[str]) -> str:
    """The texts of a row as one string, in which runs of space count as one."""
    return "\x1f".join(" ".join(text.split()) for text in texts)


def row_hashes(rows: Iterable[Sequence[str]], *, salt: int = 0) -> np.ndarray:
    """A hash of each row's texts; its label does not count.

    Args:
        rows: The texts of each row, one or two.
        salt: Another number gives other hashes, by which rows come into another order.

    Returns:
        [N] uint64, the same on every machine.
    """
    key = salt.to_bytes(8, "big")
    digests = (hashlib.blake2b(row_key(row).encode(), digest_size=8, key=key).digest() for row in rows)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
