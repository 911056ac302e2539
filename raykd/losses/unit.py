"""Vectors divided by their norm, with a finite gradient everywhere; whatever needs a direction takes it from here."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["l1", "l2"]

# A vector no longer than this counts as the zero vector: its direction is noise, and the gradient of it 1e12 times
# too large.
SHORTEST = 1e-12


def unit(vectors: Tensor, norm: Norm = "l2", *, dim: int | tuple[int, ...] = -1, added: float = 0.0) -> Tensor:
    """x / (|x| + ``added``) over ``dim``, in the shape of ``vectors``; 0 with gradient 0 where |x| <= 1e-12.

    ``norm``: ``l2`` is the Euclidean (over several dimensions the Frobenius norm), ``l1`` the sum of absolute values.
    Raises ValueError for another norm.
    """
    if norm == "l1":
        size = vectors.abs().sum(dim=dim, keepdim=True)
        nonzero = size > SHORTEST
        length = torch.where(nonzero, size, 1.0)
    elif norm == "l2":
        squared = vectors.square().sum(dim=dim, keepdim=True)
        nonzero = squared > SHORTEST**2
        length = torch.where(nonzero, squared, 1.0).sqrt()
    else:
        raise ValueError(f"norm {norm!r}: allowed are 'l1' and 'l2'")
    # A product with the reciprocals, not a division: its gradient takes fewer passes over the vectors.
    return torch.where(nonzero, vectors * (length + added).reciprocal(), 0.0)
