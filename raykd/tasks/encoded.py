"""Tokenised splits: ragged arrays on disk, mapped into memory by every process that reads them."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raykd.manifest import remove_matching

FILES = re.compile(r"meta\.json|texts\.json|[a-z]+\.npy|fact-[0-9a-f]{16}\.safetensors")  # of a split
TEXTS = "texts.json"  # beside the arrays of windows: contexts and right answers


@dataclass(frozen=True)
class Batch:
    """Rows of one batch, padded to the longest of them."""

    input_ids: torch.Tensor  # [B, L] int64
    attention_mask: torch.Tensor  # [B, L] int64, 1 = token, 0 = padding
    token_type_ids: torch.Tensor | None  # [B, L] int64; None if the tokenizer knows none
    labels: torch.Tensor  # [B] int64 classes or float32 numbers; [B, 2] int64 tokens where the answer starts and ends
    rows: torch.Tensor  # [B] int64, row numbers in the split (for spans, windows)

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
    """A tokenised split, read-only, mapped from its folder. Pickles as the folder's path.

    Where spans are asked for, a row is a window of a question's context, and a label [start, end] the tokens of the
    row between which the answer lies, [0, 0] where the window does not hold it; see raykd.tasks.questions for the rest.
    """

    def __init__(self, folder: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.folder = folder
        self.key: str = meta["key"]
        self.truncated: int = meta["truncated"]  # rows that were cut to max_length (for spans, questions)
        self.labels = arrays["labels"]  # [N] int64 or float32, [N, 2] int64 for spans
        self.hashes = arrays["hashes"]  # [N] uint64, of the texts of each row (for spans, of each question)
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
        if any((folder / name).stat().st_size != size for name, size in meta.get("sizes", {}).items()):
            raise ValueError(f"{folder} is damaged: a file is cut short")
        return cls(folder, meta, arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        return Encoded.open, (self.folder,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pads_left(self) -> bool:
        """Whether padding comes first: what a network says of a row may then depend on how much of it there is."""
        return self._pad_left

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


def kept(cache: Path, key: str, write: Callable[[Path], None]) -> Encoded:
    """What lies in `cache/<key>`, written there by `write` first if it is absent or damaged: whole or not at all."""
    folder = cache / key
    if folder.exists():
        try:
            return Encoded.open(folder)
        except (OSError, ValueError):  # damaged: build it again
            _discard(folder)
    scratch = cache / f".{key}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    scratch.mkdir(parents=True)
    try:
        write(scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise  # else another process was first, and wrote the same
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Encoded.open(folder)


def _discard(folder: Path) -> None:
    """Make way for a split that is built again. Out of the way at once, so that nobody opens half of it; what raykd
    did not write there is kept under another name."""
    aside = folder.with_name(f"{folder.name}-kept-{uuid.uuid4().hex[:8]}")
    with suppress(OSError):  # another process was first
        folder.rename(aside)
        if aside.is_dir() and not aside.is_symlink():
            remove_matching(aside, FILES)


def store(
    folder: Path, arrays: dict[str, np.ndarray], tokenizer: Any, *, key: str, truncated: int, texts: Any = None
) -> None:
    """Writes what `Encoded.open` reads; `texts` go into texts.json. Windows are always padded on the right."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {
        "key": key,
        "truncated": truncated,
        "arrays": list(arrays),
        "pad_id": tokenizer.pad_token_id,
        "pad_type": tokenizer.pad_token_type_id,
        "pad_left": texts is None and tokenizer.padding_side == "left",
    }
    if texts is not None:
        (folder / TEXTS).write_text(json.dumps(texts), encoding="utf-8")
        meta["sizes"] = {TEXTS: (folder / TEXTS).stat().st_size}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def _scatter(flat: np.ndarray, source: np.ndarray, mask: np.ndarray, fill: int) -> torch.Tensor:
    """[B, L] int64: the tokens at `source` where the mask is true, `fill` elsewhere."""
    cells = np.full(mask.shape, fill, dtype=np.int64)
    cells[mask] = flat[source]
    return torch.from_numpy(cells)
