"""Vectors divided by their norm, with a finite gradient at zero."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["l1", "l2"]


def unit(vectors: Tensor, norm: Norm = "l2", *, added: float = 0.0) -> Tensor:
    """x / (|x| + ``added``) along the last dimension of [..., D]; the zero vector stays 0 and has no gradient.

    ``norm``: ``l2`` is the Euclidean, ``l1`` the sum of absolute values. A vector with |x| <= 1e-12 counts as zero.
    Raises ValueError for another norm.
    """
    if norm == "l1":
        size = vectors.abs().sum(dim=-1, keepdim=True)
        nonzero = size > 1e-12
        length = torch.where(nonzero, size, 1.0)
    elif norm == "l2":
        squared = vectors.square().sum(dim=-1, keepdim=True)
        nonzero = squared > 1e-24
        length = torch.where(nonzero, squared, 1.0).sqrt()
    else:
        raise ValueError(f"norm {norm!r}: allowed are 'l1' and 'l2'")
    return torch.where(nonzero, vectors / (length + added), 0.0)
