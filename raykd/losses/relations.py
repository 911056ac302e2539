"""Pair relations, summed: the part that those across words and those across layers share.

A pair relation is a function of two points: P(j | i) or a distance. Each function here returns the *sum* of the
penalties over M sets of points, a scalar; what to divide it by is the caller's. The teacher is a constant.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .penalties import Penalty, penalise
from .pieces import summed
from .precision import widened
from .products import point_cosines

LayerReduction = Literal["mean", "sum"]

# The floor of published code under a squared distance.
FLOOR = 1e-12


def reduce_layers(total: Tensor, layers: int, number: Tensor, layer_reduction: LayerReduction) -> Tensor:
    """A total over the layers divided by the ``number`` of things in one of them, and for ``mean`` by the layers too.

    A batch without any real thing gives 0. Raises ValueError for another reduction.
    """
    if layer_reduction not in ("mean", "sum"):
        raise ValueError(f"layer_reduction {layer_reduction!r}: allowed are 'mean' and 'sum'")
    return total / (number.clamp_min(1) * (layers if layer_reduction == "mean" else 1))


def pair_kl_sum(student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
    """Sum over i of KL(P_t(. | i) || P_s(. | i)), where P(j | i) = softmax over j != i of cos(x_i, x_j).

    Points are student [M, N, D_s] and teacher [M, N, D_t]; ``counted`` [M, N] marks those that are real: only they are
    i or j. An i without any j adds 0.
    """
    with torch.no_grad():
        theirs = point_cosines(teacher, counted)
    ours, theirs = widened(point_cosines(student, counted), theirs)
    number = counted.shape[-1]
    others = ~torch.eye(number, dtype=torch.bool, device=counted.device)

    def evaluate(some: slice, wanted: bool) -> tuple[Tensor, Tensor | None]:
        no_pair = ~(counted[some].unsqueeze(-1) & counted[some].unsqueeze(-2) & others)
        log_student, log_teacher = (_log_neighbours(cosines[some], no_pair) for cosines in (ours, theirs))
        # sum p_t ln(p_t / p_s) = sum p_t h(ln(p_s / p_t)), h(x) = e^x - 1 - x, as both sides sum to 1: no term is
        # negative, so the rounding of large terms does not drown a small sum.
        ratio = log_student.sub_(log_teacher).masked_fill_(no_pair, 0.0)
        excess = torch.expm1(ratio)
        probability = log_teacher.exp_()
        total = torch.sub(excess, ratio, out=ratio).mul_(probability).sum()
        return total, excess.mul_(probability) if wanted else None  # p_s - p_t

    return summed(ours, number**2, evaluate)


def _log_neighbours(cosines: Tensor, no_pair: Tensor) -> Tensor:
    # The lowest finite number, not -inf: a row without any pair would be NaN, and its gradient too.
    return torch.log_softmax(cosines.masked_fill(no_pair, torch.finfo(cosines.dtype).min), dim=-1)


def pair_distance_sum(
    student: Tensor, teacher: Tensor, pairs: Tensor, *, normalise: bool, squared: bool, penalty: Penalty
) -> Tensor:
    """Sum over i != j of penalty(distance of the student - distance of the teacher).

    Given are squared distances [M, P], every two points once; ``pairs`` [M, P] marks those that are compared.
    ``squared``: these are the distances. ``normalise``: divided by their mean over a set, with gradient through it.
    """
    student, teacher = widened(student, teacher.detach())

    def of(distances: Tensor, real: Tensor) -> Tensor:
        distances = torch.where(real, distances.clamp_min(FLOOR), 1.0)
        distances = distances if squared else distances.sqrt()
        if not normalise:
            return distances
        number = real.sum(dim=-1, keepdim=True)
        mean = torch.where(real, distances, 0.0).sum(dim=-1, keepdim=True) / number.clamp_min(1)
        return distances / torch.where(number > 0, mean, 1.0)

    def evaluate(some: slice, wanted: bool) -> tuple[Tensor, Tensor | None]:
        real = pairs[some]
        theirs = of(teacher[some], real)
        with torch.set_grad_enabled(wanted):
            ours = student[some].detach().requires_grad_(wanted)
            penalties = penalise(of(ours, real) - theirs, penalty)
            total = 2 * torch.where(real, penalties, 0.0).sum()
            return total.detach(), torch.autograd.grad(total, ours)[0] if wanted else None

    return summed(student, student.shape[-1], evaluate)
