"""What the teacher said of one split, mapped into memory: answers for a batch without any network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Set
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from raykd.knowledge.forms import Form, readable
from raykd.knowledge.library import serves
from raykd.knowledge.observe import related
from raykd.knowledge.packing import Places, unpack
from raykd.knowledge.shards import ABOUT, Damaged, Part
from raykd.methods.seen import Need, Seen, projections_of

if TYPE_CHECKING:
    from raykd.tasks.encoded import Batch, Encoded

Cut = list[tuple[int, int, int]]  # of each row of a batch: its shard, its first number there and the one after its last


class Knowledge:
    """Complete parts of one split, read-only. Pickles as paths; files are mapped when a row of them is first needed.

    damaged: what was found damaged or incomplete on opening, shard by shard; a part with any such serves nothing.
    """

    def __init__(self, folders: Iterable[Path], split: Encoded) -> None:
        """ValueError for parts of another split, or of two teachers."""
        self.folders = tuple(Path(folder).absolute() for folder in folders)
        self.split = split
        self.damaged: list[Damaged] = []
        self._parts: dict[Need, Part] = {}
        self._maps: dict[tuple[Need, int], np.ndarray] = {}
        self._offsets: dict[tuple[str, int], np.ndarray] = {}
        for folder in self.folders:
            try:
                part = Part.open(folder)
            except Damaged as damage:
                self.damaged.append(damage)
                continue
            if missing := part.missing():
                self.damaged += missing
                continue
            self._parts[part.about.form.need] = part
            with suppress(OSError):  # a store that may only be read
                os.utime(folder / ABOUT)  # last used now
        self._check()

    def __reduce__(self) -> tuple[Any, ...]:
        return Knowledge, (self.folders, self.split)

    def has(self, need: Need) -> bool:
        """Whether `answer` knows it."""
        return bool(self._sources(need))

    def answer(self, batch: Batch, needs: Set[Need], device: torch.device | str | None = None) -> Seen:
        """What the teacher said of the rows of `batch`, padded as they are, float32, on the batch's device or `device`.

        Answers are 0 at padding; the logits of spans give it no weight. A relation of which only the projections are
        stored is computed from them, on `device`. Raises KeyError for a need that `has` denies, ValueError for a batch
        that is not of this split, Damaged for a shard that was changed since opening.
        """
        rows = batch.rows.cpu().numpy()
        places = Places.of(batch.attention_mask)
        if (self.split.lengths[rows] != places.lengths).any():
            raise ValueError("the batch is not of the split that is stored: its rows have other lengths")
        cuts: dict[tuple[str, int, int], Cut] = {}
        sources = {need: self._sources(need) for need in needs}
        if unknown := [readable(need) for need, parts in sources.items() if not parts]:
            raise KeyError(f"{', '.join(unknown)} is not stored")
        told: dict[Need, Tensor] = {}
        for need, part in {key: part for parts in sources.values() for key, part in parts.items()}.items():
            form, many = part.about.form, part.about.rows_per_shard
            kind = (form.layout, form.width, many)
            if kind not in cuts:  # parts of several layers lie alike
                cuts[kind] = self._cut(form, rows, many)
            stored = [self._map(part, shard)[first:end] for shard, first, end in cuts[kind]]
            whole = unpack(form, stored, places, reach=need.reach, device=batch.attention_mask.device)
            told[need] = whole if device is None else whole.to(device, non_blocking=True)
        return Seen({need: told[need] if need in sources[need] else related(need, told) for need in needs})

    def _check(self) -> None:
        others = [part.folder.name for part in self._parts.values() if part.about.data != self.split.key]
        if others:
            raise ValueError(f"of another split than {self.split.key}: {', '.join(others)}")
        if len(teachers := {part.about.teacher for part in self._parts.values()}) > 1:
            raise ValueError(f"of several teachers: {', '.join(sorted(teachers))}")

    def _sources(self, need: Need) -> dict[Need, Part]:
        """The part to read `need` from, or those of the projections to compute it from; none where it is not known."""
        for wanted in ({need}, projections_of(need)):
            found = {one: part for one in wanted if (part := self._serving(one)) is not None}
            if found.keys() == wanted:
                return found
        return {}

    def _serving(self, need: Need) -> Part | None:
        if need in self._parts:
            return self._parts[need]
        fitting = [part for stored, part in self._parts.items() if serves(stored, need)]
        return min(fitting, key=lambda part: part.about.form.need.reach, default=None)

    def _map(self, part: Part, shard: int) -> np.ndarray:
        known = part.about.form.need, shard
        if known not in self._maps:
            self._maps[known] = part.map(shard)
        return self._maps[known]

    def _cut(self, form: Form, rows: np.ndarray, many: int) -> Cut:
        """Where these rows lie in parts of a form, `many` rows a shard."""
        kind = form.layout, form.width
        if kind not in self._offsets:
            numbers = form.numbers(self.split.lengths)
            self._offsets[kind] = np.concatenate([np.zeros(1, np.int64), np.cumsum(numbers)])
        offsets = self._offsets[kind]
        shards = rows // many
        before = offsets[shards * many]
        columns = shards, offsets[rows] - before, offsets[rows + 1] - before
        return list(zip(*(column.tolist() for column in columns), strict=True))
