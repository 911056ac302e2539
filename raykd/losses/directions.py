"""Vectors of length one, with a gradient that is finite everywhere."""

from __future__ import annotations

import torch
from torch import Tensor

# A vector no longer than this counts as the zero vector: its direction, and the 1 / length of a gradient, mean nothing.
_SHORTEST = 1e-12


def direction(vectors: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """x / |x| over ``dim`` (several dimensions: the Frobenius norm); 0 with gradient 0 where |x| <= 1e-12."""
    squared = vectors.square().sum(dim=dim, keepdim=True)
    long = squared > _SHORTEST**2
    return torch.where(long, vectors * torch.where(long, squared, 1.0).rsqrt(), 0.0)
