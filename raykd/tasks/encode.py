"""Text to token ids, once for every split, tokenizer and length."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from raykd.errors import UserError
from raykd.progress import track
from raykd.tasks.data import Split
from raykd.tasks.encoded import Batch, Encoded, kept, store
from raykd.tasks.row_hashes import row_hashes
from raykd.tasks.windows import Frame, frame_of, write_windows

__all__ = ["Batch", "Encoded", "encode"]

FORMAT = 2  # part of the key: raise it when the files change
CHUNK = 2_000  # rows tokenised at a time


def encode(
    split: Split, tokenizer: Any, *, max_length: int, regression: bool, cache: Path, stride: int | None = None
) -> Encoded:
    """Tokenises a split into `cache/<key>`, or opens what is there already under that key.

    Pairs are cut longest first. A split with answers is not cut but goes into windows of max_length tokens, of which
    consecutive ones share `stride` tokens of the context (by default a third of max_length).
    Raises UserError for a tokenizer without a fast backend or padding token, and for a max_length or stride outside
    what can be done.
    """
    _check(tokenizer, max_length, texts=len(split.texts[0]))
    frame = frame_of(tokenizer, max_length, stride) if split.answers else None
    key = _key(split, tokenizer, max_length, regression, frame)
    if frame is not None:
        return kept(cache, key, lambda folder: write_windows(folder, split, tokenizer, frame, key))
    return kept(cache, key, lambda folder: _write(folder, split, tokenizer, max_length, regression, key))


def _write(folder: Path, split: Split, tokenizer: Any, max_length: int, regression: bool, key: str) -> None:
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    truncated = 0
    with track("tokenising", len(split)) as advance:
        for start in range(0, len(split), CHUNK):
            columns = [list(column) for column in zip(*split.texts[start : start + CHUNK], strict=True)]
            coded = tokenizer(*columns, truncation="longest_first", max_length=max_length, padding=False)
            truncated += sum(bool(encoding.overflowing) for encoding in coded.encodings)
            lengths += [len(row) for row in coded["input_ids"]]
            ids += [np.asarray(row, dtype=np.int32) for row in coded["input_ids"]]
            if "token_type_ids" in coded:
                types += [np.asarray(row, dtype=np.uint8) for row in coded["token_type_ids"]]
            advance(len(columns[0]))
    if not all(lengths):
        raise UserError(f"the tokenizer makes no token of this text: {split.texts[lengths.index(0)]}")
    arrays = {
        "ids": np.concatenate(ids),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "labels": np.asarray(split.labels, dtype=np.float32 if regression else np.int64),
        "hashes": row_hashes(split.texts),
    }
    if types:
        arrays["types"] = np.concatenate(types)
    store(folder, arrays, tokenizer, key=key, truncated=truncated)


def _key(split: Split, tokenizer: Any, max_length: int, regression: bool, frame: Frame | None) -> str:
    """Hash of all that the files depend on. Truncation and padding are left out of the backend's state: every call
    changes them."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend.update(truncation=None, padding=None)
    settings = [FORMAT, max_length, regression, tokenizer.pad_token_id, tokenizer.padding_side]
    settings += [tokenizer.truncation_side, list(tokenizer.model_input_names)]
    digest = hashlib.sha256(json.dumps([settings, backend], sort_keys=True).encode())
    digest.update(json.dumps([split.texts, split.labels]).encode())
    if frame is not None:
        digest.update(json.dumps([frame.stride, split.answers]).encode())
    return digest.hexdigest()[:24]


def _check(tokenizer: Any, max_length: int, texts: int) -> None:
    if not tokenizer.is_fast:
        raise UserError(f"{type(tokenizer).__name__} has no fast backend, which raykd needs")
    problems = []
    if tokenizer.pad_token_id is None:
        problems.append("the tokenizer has no padding token")
    least = tokenizer.num_special_tokens_to_add(pair=texts == 2) + texts
    if not least <= max_length <= tokenizer.model_max_length:
        most = tokenizer.model_max_length
        problems.append(f"max_length is {max_length}: this tokenizer can do {least} to {most}")
    if problems:
        raise UserError(*problems)
