"""The two stages of LRC-BERT (Fu et al. 2021): the hidden states alone first, then all of its losses."""

from __future__ import annotations

import math


def first_stage(step: int, total: int, fraction: float) -> bool:
    """Whether the optimiser step ``step``, counted from 0, of ``total`` is among the first floor(fraction * total).

    Raises ValueError unless 0 <= fraction <= 1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction {fraction}: it lies in 0 to 1")
    return step < math.floor(fraction * total)
