"""Text to token ids, once: ragged arrays on disk, mapped into memory by every process that reads them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.errors import UserError
from raykd.tasks.data import Split

FORMAT = 1  # part of the key: raise it when the files change
CHUNK = 2_000  # rows tokenised at a time


@dataclass(frozen=True)
class Batch:
    """Rows of one batch, padded to the longest of them."""

    input_ids: torch.Tensor  # [B, L] int64
    attention_mask: torch.Tensor  # [B, L] int64, 1 = token, 0 = padding
    token_type_ids: torch.Tensor | None  # [B, L] int64; None if the tokenizer knows none
    labels: torch.Tensor  # [B] int64 classes or float32 numbers
    rows: torch.Tensor  # [B] int64, row numbers in the split

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        types = self.token_type_ids
        return Batch(
            self.input_ids.to(device),
            self.attention_mask.to(device),
            None if types is None else types.to(device),
            self.labels.to(device),
            self.rows.to(device),
        )


class Encoded:
    """A tokenised split, read-only, mapped from its folder. Pickles as the folder's path."""

    def __init__(self, folder: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.folder = folder
        self.key: str = meta["key"]
        self.truncated: int = meta["truncated"]  # rows that were cut to max_length
        self.labels = arrays["labels"]  # [N] int64 or float32
        self.lengths: np.ndarray = np.diff(arrays["offsets"]).astype(np.int32)  # [N] tokens
        self._offsets = arrays["offsets"]
        self._ids = arrays["ids"]
        self._types = arrays.get("types")
        self._pad_id: int = meta["pad_id"]
        self._pad_type: int = meta["pad_type"]
        self._pad_left: bool = meta["pad_left"]

    @classmethod
    def open(cls, folder: Path) -> Encoded:
        """Maps what `encode` wrote. Raises OSError or ValueError if the files are absent or damaged in length."""
        folder = folder.absolute()  # a process that unpickles this may stand elsewhere
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        try:
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in meta["arrays"]}
        except (EOFError, KeyError) as error:
            raise ValueError(f"{folder} is damaged: {error}") from error
        tokens = int(arrays["offsets"][-1])
        if len(arrays["ids"]) != tokens or len(arrays["labels"]) != len(arrays["offsets"]) - 1:
            raise ValueError(f"{folder} is damaged: its arrays do not fit together")
        return cls(folder, meta, arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        return Encoded.open, (self.folder,)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """These rows, padded to the longest of them only."""
        chosen = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[chosen]
        width = int(lengths.max())
        # position in the row's own tokens of every cell of the batch; outside [0, length) is padding
        place = np.arange(width) - ((width - lengths)[:, None] if self._pad_left else 0)
        mask = (place >= 0) & (place < lengths[:, None])
        source = (self._offsets[chosen][:, None] + place)[mask]
        types = self._types
        return Batch(
            _scatter(self._ids, source, mask, self._pad_id),
            torch.from_numpy(mask.astype(np.int64)),
            None if types is None else _scatter(types, source, mask, self._pad_type),
            torch.from_numpy(self.labels[chosen]),
            torch.from_numpy(chosen.copy()),
        )


def encode(split: Split, tokenizer: Any, *, max_length: int, regression: bool, cache: Path) -> Encoded:
    """Tokenises a split into `cache/<key>`, or opens what is there already under that key.

    Pairs are cut longest first. Raises UserError for a tokenizer without a fast backend or padding token, and for a
    max_length outside what the tokenizer can do.
    """
    _check(tokenizer, max_length, texts=len(split.texts[0]))
    key = _key(split, tokenizer, max_length, regression)
    folder = cache / key
    if folder.exists():
        try:
            return Encoded.open(folder)
        except (OSError, ValueError):  # damaged: build it again
            shutil.rmtree(folder, ignore_errors=True)
    scratch = cache / f".{key}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    scratch.mkdir(parents=True)
    try:
        _write(scratch, split, tokenizer, max_length, regression, key)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise  # else another process was first, and wrote the same
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Encoded.open(folder)


def _write(folder: Path, split: Split, tokenizer: Any, max_length: int, regression: bool, key: str) -> None:
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    truncated = 0
    for start in range(0, len(split), CHUNK):
        columns = [list(column) for column in zip(*split.texts[start : start + CHUNK], strict=True)]
        coded = tokenizer(*columns, truncation="longest_first", max_length=max_length, padding=False)
        truncated += sum(bool(encoding.overflowing) for encoding in coded.encodings)
        lengths += [len(row) for row in coded["input_ids"]]
        ids += [np.asarray(row, dtype=np.int32) for row in coded["input_ids"]]
        if "token_type_ids" in coded:
            types += [np.asarray(row, dtype=np.uint8) for row in coded["token_type_ids"]]
    if not all(lengths):
        raise UserError(f"the tokenizer makes no token of this text: {split.texts[lengths.index(0)]}")
    arrays = {
        "ids": np.concatenate(ids),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "labels": np.asarray(split.labels, dtype=np.float32 if regression else np.int64),
    }
    if types:
        arrays["types"] = np.concatenate(types)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {
        "key": key,
        "truncated": truncated,
        "arrays": list(arrays),
        "pad_id": tokenizer.pad_token_id,
        "pad_type": tokenizer.pad_token_type_id,
        "pad_left": tokenizer.padding_side == "left",
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def _key(split: Split, tokenizer: Any, max_length: int, regression: bool) -> str:
    """Hash of all that the files depend on. Truncation and padding are left out of the backend's state: every call
    changes them."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    backend.update(truncation=None, padding=None)
    settings = [FORMAT, max_length, regression, tokenizer.pad_token_id, tokenizer.padding_side]
    settings += [tokenizer.truncation_side, list(tokenizer.model_input_names)]
    digest = hashlib.sha256(json.dumps([settings, backend], sort_keys=True).encode())
    digest.update(json.dumps([split.texts, split.labels]).encode())
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


def _scatter(flat: np.ndarray, source: np.ndarray, mask: np.ndarray, fill: int) -> torch.Tensor:
    """[B, L] int64: the tokens at `source` where the mask is true, `fill` elsewhere."""
    cells = np.full(mask.shape, fill, dtype=np.int64)
    cells[mask] = flat[source]
    return torch.from_numpy(cells)
