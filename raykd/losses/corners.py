"""The angles of vertices between the pairs of their corners, from squared distances: value and gradient in one pass.

With D_ij between vertex i and corner j, cos = (D_ij + D_ik - D_jk) / (2 sqrt(D_ij D_ik)): 0 where j or k coincides with
i, 1 where j = k. A loop runs over the first corner, so that D_jk of all vertices and second corners is a slice of the
distances: nothing is gathered. The relation is symmetric in j and k: only the pairs with k after j are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .penalties import Penalty, penalise, slope
from .pieces import numbers_at_once


@dataclass(frozen=True)
class Corners:
    """Squared distances of the W corners of every vertex.

    ``arms`` [W, *vertices] lead to it. ``between(a, b)`` gives D_jk of the corners j in [a, b) and k > a, as something
    that broadcasts to [b - a, W - a - 1, *vertices]; what it holds for k <= j is not used, but is finite.
    """

    arms: Tensor
    between: Callable[[int, int], Tensor]

    def units(self) -> Tensor:
        """1 / sqrt(2 D_ij), [W, *vertices]; 0 where the corner coincides with the vertex."""
        return (2 * self.arms).rsqrt_().masked_fill_(self.arms == 0, 0.0)


# Given j and h [W - j - 1, *vertices]: the gradient for D_jk is -2 h, for k = j + 1, ...
Take = Callable[[int, Tensor], object]


def corner_sum(
    student: Corners, teacher: Corners, weights: Tensor | None, penalty: Penalty, take: Take | None
) -> tuple[Tensor, Tensor]:
    """Sum over vertices and corners j, k of w_j w_k penalty(cos of the student - cos of the teacher), a scalar.

    ``weights`` broadcast to [W, *vertices]; None: all are 1. The second result is the gradient for the student's arms;
    it is computed, and ``take`` is called, only where ``take`` is given.
    """
    units, teacher_units = student.units(), teacher.units()
    same = penalise(units.sign() - teacher_units.sign(), penalty)  # j = k
    total = (same if weights is None else same * weights.square()).sum()
    of_arms, along = torch.zeros_like(units), torch.zeros_like(units)
    number = len(units)
    block = max(1, numbers_at_once(units.device) // max(1, units.numel()))

    for a in range(0, number - 1, block):
        b = min(a + block, number - 1)
        cosines, scale = _unscaled(student, units, a, b)
        cosines *= scale
        difference, teacher_scale = _unscaled(teacher, teacher_units, a, b)
        difference *= teacher_scale  # no fused multiply-add: equal cosines differ by 0 exactly
        torch.sub(cosines, difference, out=difference)
        counts = _pair_weights(weights, a, b, units)
        penalties = penalise(difference, penalty)
        total += 2 * (penalties if counts is None else penalties.mul_(counts)).sum()
        if take is None:
            continue

        slopes = slope(difference, penalty)
        if counts is not None:
            slopes *= counts
        scale *= slopes
        cosines *= slopes
        of_arms[a + 1 :] += scale.sum(0)
        of_arms[a:b] += scale.sum(1)
        along[a + 1 :] += cosines.sum(0)
        along[a:b] += cosines.sum(1)
        for j in range(a, b):
            take(j, scale[j - a, j - a :])
    # d cos / d D_ij = 1 / (2 d_ij d_ik) - cos / (2 D_ij)
    return total, of_arms.addcmul_(along, units.square(), value=-1).mul_(2)


def _unscaled(corners: Corners, units: Tensor, a: int, b: int) -> tuple[Tensor, Tensor]:
    """D_ij + D_ik - D_jk and 1 / (2 d_ij d_ik), both [b - a, W - a - 1, *vertices]."""
    value = corners.arms[a:b].unsqueeze(1) + corners.arms[a + 1 :]
    value -= corners.between(a, b)
    return value, units[a:b].unsqueeze(1) * units[a + 1 :]


def _pair_weights(weights: Tensor | None, a: int, b: int, like: Tensor) -> Tensor | None:
    """w_j w_k where k > j, else 0; None for 1 everywhere."""
    if b - a == 1:
        return None if weights is None else weights[a:b].unsqueeze(1) * weights[a + 1 :]
    after = torch.ones(b - a, len(like) - a - 1, dtype=like.dtype, device=like.device).triu()
    after = after.view(*after.shape, *[1] * (like.ndim - 1))
    return after if weights is None else weights[a:b].unsqueeze(1) * weights[a + 1 :] * after
