"""A seed for every random thing: drawn from the run's seed and the name of its purpose, so that no two agree.

A student's new classifier and its teacher's once had the same seed, and so the same weights: the student began with
half of what the teacher had learnt. Whatever draws random numbers takes its seed from here, under a name of its own.
"""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *purpose: object) -> int:
    """The seed of one purpose within a run.

    Args:
        seed: The seed of the run.
        purpose: What the numbers are for, from the general to the particular, e.g. ``"student", "cut:3"``.

    Returns:
        A number from 0 to 2**32 - 1 that depends on all arguments: 32 bits of a SHA-256, the same on every machine.
    """
    text = "\0".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
