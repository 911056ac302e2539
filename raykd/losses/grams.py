"""Inner products of points about their mean, without copies of the points that autograd would keep.

The gradient of anything computed of a centred Gram matrix G = H X X' H is one product, 2 H S H X with the symmetric
part S of the gradient at G. So the points are read twice, once forward and once backward, and kept once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .precision import widened, without_autocast
from .unit import unit

# Points that differ by less than so many machine epsilons of their size (or by less than _TINY) are equal.
_NOISE = 32
_TINY = 1e-12


def centred_gram(points: Tensor, counted: Tensor | None) -> Tensor:
    """(x_i - mean) . (x_j - mean), [..., n, n], of points [..., n, p]; the mean is of those that ``counted`` marks.

    ``counted`` [n], or with some of the leading dimensions; None: all. 0 where i or j is not counted, and everywhere
    where those that are counted are equal up to rounding: exactly, and without a gradient.
    """
    (points,) = widened(points)
    gram: Tensor = _CentredGram.apply(points, None if counted is None else counted.bool().expand(points.shape[:-1]))
    return gram


def of_norm_one(gram: Tensor) -> Tensor:
    """A centred Gram matrix [..., n, n] over its Frobenius norm; a zero matrix stays so, without a gradient."""
    # The largest entry is on the diagonal. Divided by it first, so that no square leaves the range of float32.
    largest = gram.detach().diagonal(dim1=-2, dim2=-1).amax(dim=-1)[..., None, None]
    return unit(gram / torch.where(largest > 0, largest, 1.0), dim=(-2, -1))


def double_centred(matrix: Tensor, counted: Tensor | None = None) -> Tensor:
    """H A H of A [..., n, n] for the projection H onto sums of 0 over the positions that are counted [..., n].

    What is not counted must be 0, and is so again.
    """
    if counted is None:
        rows = matrix.mean(dim=-1, keepdim=True)
        columns = matrix.mean(dim=-2, keepdim=True) - rows.mean(dim=-2, keepdim=True)
        return (matrix - rows).sub_(columns)
    number = counted.sum(dim=-1)[..., None, None].clamp_min(1)
    rows = matrix.sum(dim=-1, keepdim=True) / number
    columns = matrix.sum(dim=-2, keepdim=True) / number - rows.sum(dim=-2, keepdim=True) / number
    return torch.where(counted.unsqueeze(-1) & counted.unsqueeze(-2), (matrix - rows).sub_(columns), 0.0)


def clear_of_noise(gram: Tensor, squared_size: Tensor) -> Tensor:
    """Whether points differ by more than rounding, [..., 1, 1]: their centred Gram [..., n, n], their size [...]."""
    spread = gram.diagonal(dim1=-2, dim2=-1).amax(dim=-1)
    noise = (_NOISE * torch.finfo(gram.dtype).eps) ** 2 * squared_size
    return (spread > noise.clamp_min(_TINY**2))[..., None, None]


class _CentredGram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, counted: Tensor | None) -> Tensor:
        # About the first point and not the mean: a pass over the points less, and as good, for a matrix of n x n
        # numbers is easily centred to the last digit. Digits go only where all points are far from the origin.
        if counted is None:
            origin = points[..., :1, :]
            rows = points - origin
        else:
            first = counted.byte().argmax(dim=-1)[..., None, None]
            origin = points.gather(-2, first.expand(*points.shape[:-2], 1, points.shape[-1]))
            origin = torch.where(counted.any(dim=-1)[..., None, None], origin, 0.0)
            rows = torch.where(counted.unsqueeze(-1), points, origin).sub_(origin)
        with without_autocast(rows):
            gram = rows @ rows.mT
        size = origin.square().sum(dim=(-1, -2)) + gram.diagonal(dim1=-2, dim2=-1).amax(dim=-1)
        gram = double_centred(gram, counted)
        differ = clear_of_noise(gram, size)
        ctx.save_for_backward(rows, differ, *(() if counted is None else (counted,)))
        return torch.where(differ, gram, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        rows, differ, *counted = ctx.saved_tensors
        within = differ & counted[0].unsqueeze(-1) & counted[0].unsqueeze(-2) if counted else differ
        slope = double_centred(torch.where(within, slope + slope.mT, 0.0), *counted)
        with without_autocast(rows):
            return slope @ rows, None
