"""Asks the teacher about some rows and writes what it says, shard by shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from raykd.knowledge.packing import Places, Unstorable, pack
from raykd.knowledge.shards import Part
from raykd.knowledge.teacher import Teacher

if TYPE_CHECKING:
    from raykd.tasks.encoded import Encoded

ON_CPU, ON_ACCELERATOR = 32, 256  # rows asked about at a time, of similar length


def fill(
    parts: Sequence[Part],
    shard: int,
    teacher: Teacher,
    split: Encoded,
    device: torch.device,
    asked: Callable[[int, float], object] = lambda rows, seconds: None,
) -> list[str]:
    """Write shard number `shard` of each of `parts`, which have equally many rows a shard, by one pass of the teacher.

    asked: told of each batch how many rows it has, and the seconds that the teacher took to answer it.
    Gives the names of parts that cannot hold what the teacher says, each with the reason; those get no shard. Raises
    OSError where the disk is full or fails.
    """
    numbers = parts[0].rows(shard)
    rows = np.arange(numbers.start, numbers.stop)
    order = rows[np.argsort(split.lengths[rows], kind="stable")]
    found: dict[str, dict[int, np.ndarray]] = {part.folder.name: {} for part in parts}
    refused: dict[str, str] = {}
    many = ON_CPU if device.type == "cpu" else ON_ACCELERATOR
    for start in range(0, len(order), many):
        some = order[start : start + many]
        batch = split.batch(some).to(device)
        began = time.perf_counter()
        told = teacher.live(batch, {part.about.form.need for part in parts})
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # costs nothing: what follows waits for the answers anyway
        asked(len(some), time.perf_counter() - began)
        places = Places.of(batch.attention_mask)
        for part in parts:
            name = part.folder.name
            if name in refused:
                continue
            try:
                packed = pack(part.about.form, told.answers[part.about.form.need], places, some)
            except (Unstorable, ValueError) as error:
                refused[name] = str(error)
                continue
            found[name].update(zip(some.tolist(), packed, strict=True))
    for part in parts:
        if part.folder.name not in refused:
            part.write(shard, [found[part.folder.name][row] for row in rows.tolist()])
    return [f"{name}: {why}" for name, why in refused.items()]
