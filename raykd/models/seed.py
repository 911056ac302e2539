"""Random weights that depend on a seed alone, and disturb nobody else's randomness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's CPU generator starts at `seed` within, and is put back after; other devices' generators are not touched.

    Models are made on the CPU also where the caller's default device is another: the same seed, the same weights.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would seed the accelerators too, and those are not put back
        torch.default_generator.manual_seed(seed)
        yield
