"""Splits, answers and parts to test with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raykd.knowledge.forms import Facts, Form
from raykd.knowledge.library import Library
from raykd.knowledge.observe import NOWHERE
from raykd.knowledge.packing import Places, pack
from raykd.knowledge.shards import Part
from raykd.knowledge.store import Knowledge
from raykd.methods.seen import LOGITS, Need
from raykd.tasks.encoded import Encoded

LENGTHS = [3, 1, 7, 4, 5, 2, 6, 3, 9, 1]
FACTS = Facts(hidden=6, heads=2, outputs=3)
OF_SPANS = Facts(hidden=6, heads=2, outputs=2, spans=True)
NEEDS = [
    LOGITS,
    Need("hidden", 2),
    Need("cls", 0),
    Need("query", 1),
    Need("key", 1),
    Need("value", 1),
    Need("scores", 1),
    Need("attention", 2),
    Need("word_distances", 3, reach=4),
    Need("layer_distances", layers=(0, 2, 5)),
    Need("word_gram", 1),
    Need("relation", 2, letters="qk", heads=3),
    Need("relation", 2, letters="vv", heads=3),
]


def split(folder: Path, lengths: Sequence[int], *, key: str = "data", pad_left: bool = False) -> Encoded:
    """A tokenised split whose rows have these lengths."""
    folder.mkdir(parents=True)
    arrays: dict[str, np.ndarray] = {
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "ids": np.arange(sum(lengths), dtype=np.int32),
        "labels": np.zeros(len(lengths), np.int64),
        "hashes": np.arange(len(lengths), dtype=np.uint64),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    meta = {"key": key, "truncated": 0, "pad_id": 0, "pad_type": 0, "pad_left": pad_left, "arrays": list(arrays)}
    (folder / "meta.json").write_text(json.dumps(meta))
    return Encoded.open(folder)


def answer(form_of: Form, mask: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A random answer for a mask [B, L], not a number wherever padding is involved, and what a store makes of it."""
    (many, width), n = mask.shape, form_of.width
    random = torch.Generator().manual_seed(seed)
    real = mask.bool()
    pairs = real[:, :, None] & real[:, None, :]
    padding = 0.0
    match form_of.layout:
        case "row":
            shape, counted = [many, n], torch.ones(many, n, dtype=torch.bool)
        case "span":
            shape, counted, padding = [2 * many, width], real.repeat(2, 1), NOWHERE
        case "token":
            shape, counted = [many, width, n], real[:, :, None].expand(-1, -1, n)
        case "pair" | "triangles":
            shape, counted = [many, n, width, width], pairs[:, None].expand(-1, n, -1, -1)
        case "triangle":
            shape, counted = [many, width, width], pairs
        case "band":
            reach = min(n, width - 1)
            shape, counted = [many, width, reach], torch.zeros(many, width, reach, dtype=torch.bool)
            for o in range(reach):
                counted[:, : width - 1 - o, o] = real[:, : width - 1 - o] & real[:, o + 1 :]
    values = 9 * torch.randn(shape, generator=random)
    if form_of.layout in ("triangle", "triangles"):
        values = values + values.mT
    if form_of.rooted:
        values = values.square()
    # A band is 0 where it leaves the text; elsewhere nobody may look at padding.
    untold = torch.tensor(0.0 if form_of.layout == "band" else torch.nan)
    return values.where(counted, untold), values.where(counted, torch.tensor(padding))


def fill(library: Library, need: Need, data: Encoded, facts: Facts = FACTS, rows_per_shard: int = 3) -> Part:
    """A complete part of random answers, each row of its own seed."""
    part = library.part(need, facts, data.lengths, rows_per_shard=rows_per_shard)
    for shard in range(len(part)):
        part.write(shard, shard_rows(part, shard, data))
    return part


def shard_rows(part: Part, shard: int, data: Encoded) -> list[np.ndarray]:
    """What belongs into a shard: row by row, as if each were a batch of its own."""
    rows = []
    for row in part.rows(shard):
        mask = data.batch([row]).attention_mask
        rows += pack(part.about.form, answer(part.about.form, mask, row)[0], Places.of(mask), [row])
    return rows


class Made:
    """A split and everything about it, complete."""

    def __init__(self, folder: Path, *, pad_left: bool = False, spans: bool = False) -> None:
        self.split = split(folder / "data", LENGTHS, pad_left=pad_left)
        self.library = Library(folder / "store", "teacher", "data")
        facts = OF_SPANS if spans else FACTS
        self.parts = {need: fill(self.library, need, self.split, facts) for need in NEEDS}
        self.knowledge = Knowledge([part.folder for part in self.parts.values()], self.split)
        self.pad_left = pad_left

    def check(self, rows: Sequence[int]) -> None:
        """Compares the answers for a batch with what was given for each of its rows alone."""
        batch = self.split.batch(rows)
        seen = self.knowledge.answer(batch, set(NEEDS))
        assert set(seen.answers) == set(NEEDS)
        for need, found in seen.answers.items():
            assert found.dtype == torch.float32
            relative = 2e-7 if need == LOGITS else 2.0**-10 * 1.01
            wanted = self.padded(need, rows, batch.attention_mask.shape[1])
            torch.testing.assert_close(found, wanted, rtol=relative, atol=1e-7)

    def padded(self, need: Need, rows: Sequence[int], width: int) -> Tensor:
        """What was given for each row alone, padded to a common width."""
        form_of = self.parts[need].about.form
        alone = [answer(form_of, self.split.batch([row]).attention_mask, row)[1] for row in rows]
        many = len(rows)
        shape, fill_value = {
            "row": ([many, form_of.width], 0.0),
            "span": ([2, many, width], NOWHERE),
            "token": ([many, width, form_of.width], 0.0),
            "band": ([many, width, min(form_of.width, width - 1)], 0.0),
            "pair": ([many, form_of.width, width, width], 0.0),
            "triangle": ([many, width, width], 0.0),
            "triangles": ([many, form_of.width, width, width], 0.0),
        }[form_of.layout]
        whole = torch.full(shape, fill_value)
        for index, one in enumerate(alone):
            n = LENGTHS[rows[index]]
            place = slice(width - n, width) if self.pad_left else slice(0, n)
            match form_of.layout:
                case "row":
                    whole[index] = one[0]
                case "span":
                    whole[:, index, place] = one
                case "token":
                    whole[index, place] = one[0]
                case "band":
                    whole[index, place, : one.shape[2]] = one[0]
                case "pair" | "triangles":
                    whole[index, :, place, place] = one[0]
                case "triangle":
                    whole[index, place, place] = one[0]
        return whole.flatten(0, 1) if form_of.layout == "span" else whole
