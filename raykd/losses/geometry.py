"""Inner products of sets of points, and points about their mean."""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import without_autocast


def gram(points: Tensor) -> Tensor:
    """Inner products [..., N, N] of points [..., N, D], in the dtype of the points even under autocast."""
    with without_autocast(points):
        return points @ points.transpose(-1, -2)


def centred(points: Tensor, counted: Tensor) -> Tensor:
    """Points [..., N, D] minus the mean of those that ``counted`` [..., N] marks; the others become 0.

    Inner products of points far from the origin lose the digits that tell the points apart. The mean is a constant to
    autograd: what is computed of the result does not change under translation, so nothing flows through it.
    """
    counted = counted.unsqueeze(-1)
    points = torch.where(counted, points, 0.0)
    with torch.no_grad():
        mean = points.sum(dim=-2, keepdim=True) / counted.sum(dim=-2, keepdim=True).clamp_min(1)
    return torch.where(counted, points - mean, 0.0)
