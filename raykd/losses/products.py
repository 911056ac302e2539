"""Distances and cosines of many sets of points, from their inner products, keeping nothing but the points.

Points are [M, N, D], strided in any way: a view is as good as a copy. ``counted`` [M, N] marks those that are read at
all; what stands at the others (NaN, too) changes nothing. All is computed in float32 at least, even under autocast.

Both have a gradient at the points that is a product: a small matrix [N, N] times the points. So nothing of the size of
the points is kept for the backward pass, which reads them once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pieces import pieces
from .precision import without_autocast
from .unit import SHORTEST

# x_i.x_i + x_j.x_j - 2 x_i.x_j of two equal vectors is rounding noise: this many machine epsilons of its terms.
_NOISE = 32


def point_distances(points: Tensor, counted: Tensor, pairs: Tensor) -> Tensor:
    """||x_i - x_j||^2, [M, P], of the ``pairs`` [P], each i N + j; pair 0 (the first point twice) may stand for none.

    0 where a point is not counted, and where the two differ by no more than rounding: there it has no gradient.
    """
    distances: Tensor = _Distances.apply(points, counted, pairs)
    return distances


def point_cosines(points: Tensor, counted: Tensor) -> Tensor:
    """cos(x_i, x_j), [M, N, N]; 0 where either is the zero vector or not counted."""
    cosines: Tensor = _Cosines.apply(points, counted)
    return cosines


class _Distances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, counted: Tensor, pairs: Tensor) -> Tensor:
        distances = points.new_empty(len(points), len(pairs), dtype=_wide(points))
        for some, gram in _grams(points, counted, centre=True):
            squared_norms = gram.diagonal(dim1=-2, dim2=-1)
            norms = squared_norms.unsqueeze(-1) + squared_norms.unsqueeze(-2)
            squared = torch.add(norms, gram, alpha=-2)
            # Of its own square, the shortest vector; NaN is not small, and stays NaN.
            equal = squared <= norms.mul_(_NOISE * torch.finfo(norms.dtype).eps).clamp_min_(SHORTEST**2)
            both = counted[some].unsqueeze(-1) & counted[some].unsqueeze(-2)
            squared.masked_fill_(equal | ~both, 0.0)
            distances[some] = squared.flatten(1).gather(1, pairs.expand(len(squared), -1))
        ctx.save_for_backward(points, counted, pairs, distances)
        return distances

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        points, counted, pairs, distances = ctx.saved_tensors
        number = points.shape[1]

        def matrix(some: slice) -> Tensor:
            """2 (diag(S 1) - S): the gradient at x_i is the sum over j of 2 S_ij (x_i - x_j), wherever 0 is."""
            of_pairs = outer[some].masked_fill(distances[some] == 0, 0.0)
            slopes = of_pairs.new_zeros(len(of_pairs), number**2)
            slopes.scatter_(1, pairs.expand(len(of_pairs), -1), of_pairs)
            slopes = slopes.view(-1, number, number)
            both = (slopes + slopes.transpose(-1, -2)).mul_(-2)
            both.diagonal(dim1=-2, dim2=-1).sub_(both.sum(dim=-1))
            return both

        return _times_points(matrix, points, counted, centre=True), None, None


class _Cosines(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, counted: Tensor) -> Tensor:
        number = points.shape[1]
        cosines = points.new_empty(len(points), number, number, dtype=_wide(points))
        inverse = cosines.new_empty(len(points), number)
        for some, gram in _grams(points, counted, centre=False):
            squared = gram.diagonal(dim1=-2, dim2=-1)
            inverse[some] = squared.rsqrt().masked_fill_(squared <= SHORTEST**2, 0.0)
            cosines[some] = gram.mul_(inverse[some].unsqueeze(-1)).mul_(inverse[some].unsqueeze(-2))
        ctx.save_for_backward(points, counted, cosines, inverse)
        return cosines

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        points, counted, cosines, inverse = ctx.saved_tensors

        def matrix(some: slice) -> Tensor:
            """(S_ij - [i = j] (S C)_ii) / (|x_i| |x_j|): what a unit vector's own direction has of it is taken off."""
            both = outer[some] + outer[some].transpose(-1, -2)
            along = (both * cosines[some]).sum(dim=-1)
            both.diagonal(dim1=-2, dim2=-1).sub_(along)
            return both.mul_(inverse[some].unsqueeze(-1)).mul_(inverse[some].unsqueeze(-2))

        return _times_points(matrix, points, counted, centre=False), None


def _grams(points: Tensor, counted: Tensor, *, centre: bool) -> Iterator[tuple[slice, Tensor]]:
    """Inner products [n, N, N] of a few sets at a time, and which these are."""
    with without_autocast(points):
        for some, blocks in _blocks(points):
            gram = points.new_zeros(len(counted[some]), *[points.shape[1]] * 2, dtype=_wide(points))
            for columns in blocks:
                block = _read(points[some, :, columns], counted[some], centre)
                gram.baddbmm_(block, block.transpose(-1, -2))
            yield some, gram


def _times_points(matrix: Callable[[slice], Tensor], points: Tensor, counted: Tensor, *, centre: bool) -> Tensor:
    """matrix @ points, in the shape, the layout and the dtype of the points; ``matrix`` makes [n, N, N] of a slice."""
    result = torch.empty_like(points)
    with without_autocast(points):
        for some, blocks in _blocks(points):
            small = matrix(some)
            for columns in blocks:
                result[some, :, columns] = torch.bmm(small, _read(points[some, :, columns], counted[some], centre))
    return result


def _blocks(points: Tensor) -> Iterator[tuple[slice, list[slice]]]:
    """Slices of sets, and of the columns of each: a set too large for a piece is read some columns at a time."""
    sets, number, width = points.shape
    for some in pieces(sets, number * width, points.device):
        yield some, list(pieces(width, number * len(range(sets)[some]), points.device))


def _read(points: Tensor, counted: Tensor, centre: bool) -> Tensor:
    """Points [n, N, d] in float32 at least, 0 where not counted; less the mean of the counted ones where ``centre``.

    Inner products of points far from the origin lose the digits that tell the points apart.
    """
    counted = counted.unsqueeze(-1)
    points = torch.where(counted, points.to(_wide(points)), 0.0)
    if not centre:
        return points
    weight = counted.to(points.dtype)
    mean = points.sum(dim=-2, keepdim=True) / weight.sum(dim=-2, keepdim=True).clamp_min(1)
    return torch.addcmul(points, weight, mean, value=-1, out=points)


def _wide(points: Tensor) -> torch.dtype:
    return torch.promote_types(points.dtype, torch.float32)
