"""Pair relations, summed: the part that those across words and those across layers share.

A pair relation is a function of two points: P(j | i) or a distance. Each function here takes the points of
student [..., N, D_s] and teacher [..., N, D_t] (widths differ, leading dimensions agree) and returns the *sum* of the
penalties, a scalar; what to divide it by is the caller's. The teacher is a constant.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import centred, cosines, squared_distances
from .precision import widened

Penalty = Literal["l1", "l2", "smooth_l1"]
LayerReduction = Literal["mean", "sum"]


def penalise(difference: Tensor, penalty: Penalty) -> Tensor:
    """|x|, x^2 or Huber's function with threshold 1 of every element. Raises ValueError for another name."""
    if penalty == "l1":
        return difference.abs()
    if penalty == "l2":
        return difference.square()
    if penalty == "smooth_l1":
        return F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
    raise ValueError(f"penalty {penalty!r}: allowed are 'l1', 'l2' and 'smooth_l1'")


def reduce_layers(total: Tensor, layers: int, number: Tensor, layer_reduction: LayerReduction) -> Tensor:
    """A total over the layers divided by the ``number`` of things in one of them, and for ``mean`` by the layers too.

    A batch without any real thing gives 0. Raises ValueError for another reduction.
    """
    if layer_reduction not in ("mean", "sum"):
        raise ValueError(f"layer_reduction {layer_reduction!r}: allowed are 'mean' and 'sum'")
    return total / (number.clamp_min(1) * (layers if layer_reduction == "mean" else 1))


def pair_kl_sum(student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
    """Sum over i of KL(P_t(. | i) || P_s(. | i)), where P(j | i) = softmax over j != i of cos(x_i, x_j).

    ``counted`` [..., N]: the points that are real; only they are i or j. An i without any j adds 0.
    """
    student, teacher = widened(student, teacher.detach())
    pairs = _different_pairs(counted)
    log_student = _log_neighbours(student, counted, pairs)
    with torch.no_grad():
        log_teacher = _log_neighbours(teacher, counted, pairs)
    # sum p_t ln(p_t / p_s) = sum p_t h(ln(p_s / p_t)), h(x) = e^x - 1 - x, as both sides sum to 1: no term is negative,
    # so the rounding of large terms does not drown a small sum.
    ratio = torch.where(pairs, log_student - log_teacher, 0.0)
    return (log_teacher.exp() * (torch.expm1(ratio) - ratio)).sum()


def _log_neighbours(points: Tensor, counted: Tensor, pairs: Tensor) -> Tensor:
    # The lowest finite number, not -inf: a row without any pair would be NaN, and its gradient too.
    similarity = cosines(torch.where(counted.unsqueeze(-1), points, 0.0))
    return torch.log_softmax(similarity.masked_fill(~pairs, torch.finfo(similarity.dtype).min), dim=-1)


def pair_distance_sum(
    student: Tensor,
    teacher: Tensor,
    counted: Tensor,
    pairs: Tensor,
    *,
    normalise: bool,
    squared: bool,
    penalty: Penalty,
) -> Tensor:
    """Sum over the ``pairs`` [..., N, N] of penalty(distance of the student - distance of the teacher).

    ``counted`` [..., N] marks the real points. ``squared``: the distance is ||x_i - x_j||^2. ``normalise``: divided by
    its mean over the pairs i != j, per set of N points, with gradient through that mean.
    """
    student, teacher = widened(student, teacher.detach())
    pairs = pairs & _different_pairs(counted)  # i = j adds 0
    student_distance = _distances(student, counted, pairs, normalise=normalise, squared=squared)
    with torch.no_grad():
        teacher_distance = _distances(teacher, counted, pairs, normalise=normalise, squared=squared)
    return torch.where(pairs, penalise(student_distance - teacher_distance, penalty), 0.0).sum()


def _distances(points: Tensor, counted: Tensor, pairs: Tensor, *, normalise: bool, squared: bool) -> Tensor:
    distance = torch.where(pairs, squared_distances(centred(points, counted)), 1.0)
    distance = distance if squared else distance.sqrt()
    if not normalise:
        return distance
    number = pairs.sum(dim=(-1, -2), keepdim=True)
    mean = torch.where(pairs, distance, 0.0).sum(dim=(-1, -2), keepdim=True) / number.clamp_min(1)
    return distance / torch.where(number > 0, mean, 1.0)


def _different_pairs(counted: Tensor) -> Tensor:
    others = ~torch.eye(counted.shape[-1], dtype=torch.bool, device=counted.device)
    return counted.unsqueeze(-1) & counted.unsqueeze(-2) & others
