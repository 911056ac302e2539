"""Relations across the words of one sentence: the WR terms of Park et al. 2021 (CKD).

Shapes: student [K, B, L, D_s] and teacher [K, B, L, D_t] hold the K matched hidden states of B sentences padded to L;
attention_mask [B, L] is 1 on the n_b real tokens. The widths may differ; the teacher is a constant.

Each loss is a sum over real things divided by their one number in the whole batch, so a long sentence weighs more.
``layer_reduction`` says what becomes of the K layers: ``mean`` (the published code) or ``sum`` (the paper), K times it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .angles import angle_sum, window_angle_sum
from .distances import word_distances
from .penalties import Penalty
from .precision import widened
from .relations import LayerReduction, pair_distance_sum, pair_kl_sum, reduce_layers
from .windows import Neighbours, condensed, corner_counts, half_band, in_windows


def word_pair_kl(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, layer_reduction: LayerReduction = "mean"
) -> Tensor:
    """KL(P_t(. | i) || P_s(. | i)) of P(j | i) = softmax over the real j != i of cos(x_i, x_j); the published default.

    Divided by sum_b n_b^2, as published: the number of pairs, i = j included, not of rows.
    """
    real = attention_mask.bool()
    counted = real.expand(student.shape[:-1]).flatten(0, 1)
    total = pair_kl_sum(student.flatten(0, 1), teacher.flatten(0, 1), counted)
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
    student_distances = word_distances(student, attention_mask, delta)
    with torch.no_grad():
        teacher_distances = word_distances(teacher, attention_mask, delta)
    return word_pair_of(
        student_distances,
        teacher_distances,
        attention_mask,
        normalise=normalise,
        penalty=penalty,
        delta=delta,
        squared=squared,
        layer_reduction=layer_reduction,
    )


def word_pair_of(
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
    """word_pair_distance of word_distances [K, B, L, R] that reach ``delta`` or farther; None: all of L.

    Raises ValueError where they do not reach as far.
    """
    real = attention_mask.bool()
    reach = _reach(real.shape[-1], delta)
    pairs = half_band(real, reach)
    total = pair_distance_sum(
        _within(student, reach).flatten(1),
        _within(teacher, reach).flatten(1),
        pairs.expand(student.shape[0], -1, -1, -1).flatten(0, 1).flatten(1),
        normalise=normalise,
        squared=squared,
        penalty=penalty,
    )
    return reduce_layers(total, student.shape[0], 2 * pairs.sum() + real.sum(), layer_reduction)


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
    padding_counts = delta is not None and neighbours == "clamp"
    counted = torch.ones_like(attention_mask) if padding_counts else attention_mask
    reach = None if delta is None else 2 * delta
    student_distances = word_distances(student, counted, reach)
    with torch.no_grad():
        teacher_distances = word_distances(teacher, counted, reach)
    return word_angle_of(
        student_distances,
        teacher_distances,
        attention_mask,
        delta=delta,
        penalty=penalty,
        neighbours=neighbours,
        layer_reduction=layer_reduction,
    )


def word_angle_of(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    delta: int | None,
    penalty: Penalty = "l2",
    neighbours: Neighbours = "clamp",
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """word_angle of word_distances [K, B, L, R] that reach 2 ``delta`` or farther; None: all of L.

    They are those of the real tokens, except for the corners of ``clamp``: then those of all, padding included. Raises
    ValueError where they do not reach as far.
    """
    real = attention_mask.bool()
    layers, length = student.shape[0], real.shape[-1]
    corners = corner_counts(real, delta, neighbours)
    reach = _reach(length, None if delta is None else 2 * delta)
    student, teacher = widened(_within(student, reach), _within(teacher, reach).detach())
    # Corners that are real, each once, need no count: distances from any other point are 0.
    if delta is None or 2 * delta + 1 >= length:
        every = condensed(length, real.device)
        student, teacher = (
            distances.flatten(1).gather(1, every.expand(len(distances), -1)) for distances in (student, teacher)
        )
        times = None if delta is None else _of_layers(corners, layers, student.dtype)
        total = angle_sum(student, teacher, length, penalty=penalty, times=times)
    else:
        times = None if neighbours == "valid" else _of_layers(in_windows(corners, delta), layers, student.dtype)
        total = window_angle_sum(student, teacher, delta, penalty=penalty, times=times)
    return reduce_layers(total, layers, corners.sum(dim=-1).square().sum(), layer_reduction)


def _reach(length: int, distance: int | None) -> int:
    return length - 1 if distance is None else min(distance, length - 1)


def _within(distances: Tensor, reach: int) -> Tensor:
    """The first ``reach`` columns [K B, L, reach] of half bands [K, B, L, R]."""
    if distances.shape[-1] < reach:
        raise ValueError(f"distances between words up to {distances.shape[-1]} apart, where {reach} are needed")
    return distances[..., :reach].flatten(0, 1)


def _of_layers(times: Tensor, layers: int, dtype: torch.dtype) -> Tensor:
    """[B, ...] for each of K layers: [K B, ...]."""
    return times.to(dtype).expand(layers, *times.shape).flatten(0, 1)
