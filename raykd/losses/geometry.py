"""Distances, cosines and angles of sets of points, from their inner products alone.

Everything works on points [..., N, D] and needs memory for [..., N, N] numbers, never for difference vectors. Every
function has finite gradients on any finite input: where two points coincide, or a vector is zero, the quantity is 0 (or
the published floor) and so is its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import without_autocast
from .unit import unit

# x_i.x_i + x_j.x_j - 2 x_i.x_j of two equal vectors is rounding noise: this many machine epsilons of its terms.
_NOISE = 32

# The floor of published code under a norm (and, squared distances being floored by the same number, under those).
_TINY = 1e-12


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


def cosines(points: Tensor) -> Tensor:
    """cos(x_i, x_j), [..., N, N], of points [..., N, D]; 0 where either is the zero vector."""
    return gram(unit(points))


def apart(products: Tensor) -> tuple[Tensor, Tensor]:
    """From inner products [..., N, N]: squared distances, and where the points differ by more than rounding.

    Distances are meaningless (and must not be differentiated) where the second is False; the diagonal is such a place.
    """
    squared_norm = products.diagonal(dim1=-2, dim2=-1)
    norms = squared_norm.unsqueeze(-1) + squared_norm.unsqueeze(-2)
    squared = norms - 2 * products
    differ = squared > (_NOISE * torch.finfo(products.dtype).eps * norms).clamp_min(_TINY**2)
    return squared, differ & ~torch.eye(products.shape[-1], dtype=torch.bool, device=products.device)


def squared_distances(points: Tensor) -> Tensor:
    """||x_i - x_j||^2, [..., N, N]: 1e-12 at least between two positions (as published), 0 on the diagonal."""
    squared, differ = apart(gram(points))
    floored = torch.where(differ, squared, 0.0).clamp_min(_TINY)
    return floored.masked_fill(torch.eye(points.shape[-2], dtype=torch.bool, device=points.device), 0.0)


def inverse_distances(products: Tensor) -> Tensor:
    """1 / ||x_i - x_j||, [..., N, N], from inner products; 0 where the points coincide."""
    squared, differ = apart(products)
    return torch.where(differ, torch.where(differ, squared, 1.0).rsqrt(), 0.0)
