"""Relations across the words of one sentence: the WR terms of Park et al. 2021 (CKD).

Shapes: student [K, B, L, D_s] and teacher [K, B, L, D_t] hold the K matched hidden states of B sentences padded to L;
attention_mask [B, L] is 1 on the n_b real tokens. The widths may differ; the teacher is a constant.

Each loss is a sum over real things divided by their one number in the whole batch, so a long sentence weighs more.
``layer_reduction`` says what becomes of the K layers: ``mean`` (the published code) or ``sum`` (the paper), K times it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .angles import angle_sum
from .relations import LayerReduction, Penalty, pair_distance_sum, pair_kl_sum, reduce_layers

Neighbours = Literal["clamp", "valid"]


def word_pair_kl(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, layer_reduction: LayerReduction = "mean"
) -> Tensor:
    """KL(P_t(. | i) || P_s(. | i)) of P(j | i) = softmax over the real j != i of cos(x_i, x_j); the published default.

    Divided by sum_b n_b^2, as published: the number of pairs, i = j included, not of rows.
    """
    real = attention_mask.bool()
    total = pair_kl_sum(student, teacher, real)
    return reduce_layers(total, student.shape[0], real.sum(dim=-1).square().sum(), layer_reduction)


def word_pair_distance(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    normalise: bool,
    penalty: Penalty,
    delta: int | None = None,
    squared: bool = True,
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """Mean over real i, j of penalty(distance of the student - distance of the teacher).

    ``squared`` distances are those of the published code, plain ones (False) those of the paper. ``normalise`` divides
    by their mean over i != j, per sentence and layer, with gradient. ``delta`` keeps the pairs with |i - j| <= delta
    only, in the mean of the loss (where i = j counts, adding 0) and in that of ``normalise``.
    """
    real = attention_mask.bool()
    pairs = real.unsqueeze(-1) & real.unsqueeze(-2)
    if delta is not None:
        pairs = pairs & _near(real.shape[-1], delta, real.device)
    total = pair_distance_sum(student, teacher, real, pairs, normalise=normalise, squared=squared, penalty=penalty)
    return reduce_layers(total, student.shape[0], pairs.sum(), layer_reduction)


def word_angle(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    delta: int | None,
    penalty: Penalty = "l2",
    neighbours: Neighbours = "clamp",
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """Mean of penalty(cosine of the student - cosine of the teacher) of the angles at i between j and k.

    The vertex i is real. Its corners (j = i and j = k included) are every real token where ``delta`` is None, else the
    positions within ``delta``, and ``neighbours`` says which those are at the ends:

    - ``clamp`` (the published code): 2 delta + 1 corners always, positions before 0 and after L - 1 being the first and
      the last token again, and tokens of padding being corners like any other;
    - ``valid`` (the paper): real tokens only, each once.
    """
    real = attention_mask.bool()
    corners = corner_counts(real, delta, neighbours)
    padding_counts = delta is not None and neighbours == "clamp"
    total = angle_sum(
        student,
        teacher,
        torch.ones_like(real) if padding_counts else real,
        corners,
        reach=delta,
        penalty=penalty,
    )
    return reduce_layers(total, student.shape[0], corners.sum(dim=-1).square().sum(), layer_reduction)


def corner_counts(real: Tensor, delta: int | None, neighbours: Neighbours) -> Tensor:
    """[B, L, L]: how often j is a corner of the vertex i; 0 where i is padding."""
    if neighbours not in ("clamp", "valid"):
        raise ValueError(f"neighbours {neighbours!r}: allowed are 'clamp' and 'valid'")
    length = real.shape[-1]
    vertices = real.unsqueeze(-1)
    if delta is None:
        return (vertices & real.unsqueeze(-2)).long()
    near = _near(length, delta, real.device)
    if neighbours == "valid":
        return (vertices & real.unsqueeze(-2) & near).long()
    every = torch.arange(length, device=real.device)
    times = near.long()
    times[:, 0] += (delta - every).clamp_min(0)  # positions before the first: all of them are the first
    times[:, -1] += (delta - every.flip(0)).clamp_min(0)
    return vertices.long() * times


def _near(length: int, delta: int, device: torch.device) -> Tensor:
    """[L, L]: whether |i - j| <= delta. Raises ValueError for a negative delta."""
    if delta < 0:
        raise ValueError(f"delta {delta}: it is 0 or more, or None for no limit")
    every = torch.arange(length, device=device)
    return (every.unsqueeze(0) - every.unsqueeze(1)).abs() <= delta
