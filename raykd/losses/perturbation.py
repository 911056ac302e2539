"""The gradient perturbation of LRC-BERT (Fu et al. 2021, eqs. 7-8)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .precision import widened

Norm = Literal["sample", "batch", "token"]

# The dimensions of [B, L, D] that one norm is taken over.
_DIMENSIONS: dict[str, tuple[int, ...]] = {"sample": (1, 2), "batch": (0, 1, 2), "token": (2,)}


def perturb(
    embeddings: Tensor, gradient: Tensor, norm: Norm = "sample", *, attention_mask: Tensor | None = None
) -> Tensor:
    """``e + g / ||g||_2`` for the output e [B, L, D] of the embedding layer and the loss's gradient g to it; like e.

    ``norm``: over each sample, the whole batch, or each token; where it is 0, e stays as it is. The step is a constant
    to autograd: the gradient of the result is that of e. What a scaled loss is scaled by cancels.
    ``attention_mask`` [B, L]: padding is neither moved nor part of a norm. A loss that masks padding gives it no
    gradient anyway, so it makes a difference only for one that does not.

    Raises ValueError for another ``norm`` or shapes that differ.
    """
    if norm not in _DIMENSIONS:
        raise ValueError(f"norm {norm!r}: allowed are 'sample', 'batch' and 'token'")
    if embeddings.shape != gradient.shape or embeddings.dim() != 3:
        raise ValueError(
            f"embeddings {tuple(embeddings.shape)}, their gradient {tuple(gradient.shape)}: both are [B, L, D]"
        )
    (direction,) = widened(gradient.detach())
    if attention_mask is not None:
        direction = torch.where(attention_mask.bool().unsqueeze(-1), direction, 0.0)
    dimensions = _DIMENSIONS[norm]
    # By the largest entry first: the squares of small gradients would underflow, those of scaled ones overflow.
    largest = direction.abs().amax(dim=dimensions, keepdim=True)
    moved = largest > 0
    direction = direction / torch.where(moved, largest, 1.0)
    length = direction.square().sum(dim=dimensions, keepdim=True).sqrt()
    return embeddings + (direction / torch.where(moved, length, 1.0)).to(embeddings.dtype)
