"""Between a padded batch of answers and the rows on disk, which know no padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from raykd.knowledge.forms import Form, readable
from raykd.knowledge.observe import NOWHERE


class Unstorable(Exception):
    """An answer that its type on disk cannot hold: infinite, not a number, or beyond float16."""

    def __init__(self, form: Form, row: int, value: float) -> None:
        what = f"{readable(form.need)}: row {row} has {'a root of ' if form.rooted else ''}{value:g}"
        super().__init__(f"{what}; {form.precision} reaches to {np.finfo(form.dtype).max:g}")
        self.form, self.need, self.row, self.value = form, form.need, row, value

    def __reduce__(self) -> tuple[Any, ...]:  # carried between processes
        return Unstorable, (self.form, self.row, self.value)


@dataclass(frozen=True)
class Places:
    """Where the tokens of each row stand in a batch of `width` positions."""

    starts: np.ndarray  # [B] int64
    lengths: np.ndarray  # [B] int64
    width: int

    @classmethod
    def of(cls, attention_mask: Tensor) -> Places:
        """For a mask [B, L] with padding on the left, the right or both. ValueError where it is between tokens."""
        mask = attention_mask.cpu().numpy() != 0
        lengths, starts, width = mask.sum(1), mask.argmax(1), mask.shape[1]
        position = np.arange(width)
        if (mask != ((position >= starts[:, None]) & (position < (starts + lengths)[:, None]))).any():
            raise ValueError("the attention mask has holes: no row of a tokenised split looks like that")
        return cls(starts, lengths, width)

    def __len__(self) -> int:
        return len(self.starts)

    def spans(self) -> list[tuple[int, int]]:
        """First position and the one after the last, of each row."""
        return list(zip(self.starts.tolist(), (self.starts + self.lengths).tolist(), strict=True))


def pack(form: Form, answer: Tensor, places: Places, rows: Sequence[int] | np.ndarray) -> list[np.ndarray]:
    """What is stored of `answer`, an array [numbers] for each row of the batch; `rows` are their numbers in the split.

    Raises Unstorable for a value that the type on disk cannot hold, ValueError for an answer of another shape.
    """
    _check_shape(form, answer, places)
    values = answer.detach().float()
    if form.rooted:
        values = values.clamp(min=0).sqrt()  # not a number stays so, and is refused
    array = values.cpu().numpy()
    largest = np.finfo(form.dtype).max.astype(np.float32)
    packed = []
    for index, (first, end) in enumerate(places.spans()):
        row = _cut(form, array, index, first, end).ravel()
        beyond = ~(np.abs(row) <= largest)
        if beyond.any():
            raise Unstorable(form, int(rows[index]), float(row[beyond][0]))
        packed.append(row.astype(form.dtype))
    return packed


def unpack(
    form: Form, rows: Sequence[np.ndarray], places: Places, *, reach: int = 0, device: torch.device | str = "cpu"
) -> Tensor:
    """The padded answer of a batch, float32, 0 at padding (for spans, no weight there): shapes as in methods.seen.

    rows: for each of the batch, the numbers that `pack` gave. reach: of a band, how much of it; 0: all.
    Rows are laid out in the type on disk and converted at once: on a GPU half as much is sent there.
    """
    many, width = len(places), places.width
    match form.layout:
        case "row":
            padded = np.stack(rows)
        case "span":
            padded = np.full((2, many, width), NOWHERE, form.dtype)
        case "token":
            padded = np.zeros((many, width, form.width), form.dtype)
        case "band":
            padded = np.zeros((many, width, min(reach or form.width, max(width - 1, 0))), form.dtype)
        case "pair":
            padded = np.zeros((many, form.width, width, width), form.dtype)
        case "triangle":
            padded = np.zeros((many, width, width), form.dtype)
        case "triangles":
            padded = np.zeros((many, form.width, width, width), form.dtype)
    if form.layout != "row":
        for index, ((first, end), row) in enumerate(zip(places.spans(), rows, strict=True)):
            if first < end:
                _lay(form, padded, index, first, end, row)
    values = torch.from_numpy(padded).to(device).float()
    if form.rooted:
        values.square_()
    return values.flatten(0, 1) if form.layout == "span" else values


def _lay(form: Form, padded: np.ndarray, index: int, first: int, end: int, row: np.ndarray) -> None:
    """Row number `index` into its place: the one copy of what is on disk."""
    n = end - first
    match form.layout:
        case "span":
            padded[:, index, first:end] = row.reshape(n, 2).T
        case "token":
            padded[index, first:end] = row.reshape(n, form.width)
        case "band":
            stored = row.reshape(n, min(form.width, n - 1))
            columns = min(stored.shape[1], padded.shape[2])
            padded[index, first:end, :columns] = stored[:, :columns]
        case "pair":
            padded[index, :, first:end, first:end] = row.reshape(form.width, n, n)
        case "triangle" | "triangles":
            stored = row.reshape(*padded.shape[1:-2], -1)
            padded[index, ..., first:end, first:end] = stored[..., _triangle(-(-n // 64) * 64)[:n, :n]]


def _cut(form: Form, array: np.ndarray, index: int, first: int, end: int) -> np.ndarray:
    """Row number `index` of a padded answer without its padding."""
    n = end - first
    match form.layout:
        case "row":
            return array[index]
        case "span":
            return array.reshape(2, -1, array.shape[1])[:, index, first:end].T
        case "token":
            return array[index, first:end]
        case "band":
            return array[index, first:end, : min(form.width, max(n - 1, 0))]
        case "pair":
            return array[index, :, first:end, first:end]
        case "triangle" | "triangles":
            high, low = np.tril_indices(n)
            return array[index, ..., first:end, first:end][..., high, low]


@lru_cache(maxsize=8)
def _triangle(width: int) -> np.ndarray:
    """[width, width] int64: where (i, j) stands in the lower triangle, row by row, which is the same for any n."""
    i, j = np.indices((width, width))
    high, low = np.maximum(i, j), np.minimum(i, j)
    return np.asarray(high * (high + 1) // 2 + low)


def _check_shape(form: Form, answer: Tensor, places: Places) -> None:
    many, width, found = len(places), places.width, tuple(answer.shape)
    wanted = {
        "row": (many, form.width),
        "span": (2 * many, width),
        "token": (many, width, form.width),
        "band": (many, width, min(form.width, max(width - 1, 0))),
        "pair": (many, form.width, width, width),
        "triangle": (many, width, width),
        "triangles": (many, form.width, width, width),
    }[form.layout]
    wider = form.layout == "band" and found[:-1] == wanted[:-1] and found[-1] > wanted[-1]  # what is more is not kept
    if found != wanted and not wider:
        raise ValueError(f"{readable(form.need)}: the answer should be {list(wanted)}, it is {list(found)}")
