"""Relations across the layers of one word: the LTR terms of Park et al. 2021 (CKD).

The same quantities as across words, over the K matched states of one real token; layers k, l, m take the place of the
words i, j, k. Shapes: student [K, B, L, D_s], teacher [K, B, L, D_t], attention_mask [B, L]. The widths may differ; the
teacher is a constant. ``layer_reduction``: the mean over the layer that is i above (the published code) or their sum
(the paper), K times the mean; the other layers are always averaged over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .angles import angle_sum
from .distances import layer_distances
from .penalties import Penalty
from .precision import widened
from .relations import LayerReduction, pair_distance_sum, pair_kl_sum, reduce_layers


def layer_pair_kl(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, layer_reduction: LayerReduction = "mean"
) -> Tensor:
    """KL of softmax over l != k of cos(x_k, x_l), over K^2 sum_b n_b; the published default."""
    layers = student.shape[0]
    real = attention_mask.bool().flatten()
    by_token, teacher_by_token = (states.flatten(1, 2).transpose(0, 1) for states in (student, teacher))
    total = pair_kl_sum(by_token, teacher_by_token, real.unsqueeze(-1).expand(-1, layers))
    return reduce_layers(total, layers, real.sum() * layers, layer_reduction)


def layer_pair_distance(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    normalise: bool,
    penalty: Penalty,
    squared: bool = True,
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """Mean over real tokens and k, l of penalty(distance of the student - distance of the teacher).

    ``squared`` as in the published code. ``normalise`` divides by the mean over k != l, per token, with gradient.
    """
    return layer_pair_of(
        *_distances(student, teacher, attention_mask),
        attention_mask,
        student.shape[0],
        normalise=normalise,
        penalty=penalty,
        squared=squared,
        layer_reduction=layer_reduction,
    )


def layer_pair_of(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    layers: int,
    *,
    normalise: bool,
    penalty: Penalty,
    squared: bool = True,
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """layer_pair_distance of layer_distances [B, L, P] between ``layers`` K matched states."""
    real = attention_mask.bool()
    total = pair_distance_sum(
        student.flatten(0, 1),
        teacher.flatten(0, 1),
        real.flatten().unsqueeze(-1).expand(-1, student.shape[-1]),
        normalise=normalise,
        squared=squared,
        penalty=penalty,
    )
    return reduce_layers(total, layers, real.sum() * layers, layer_reduction)


def layer_angle(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    penalty: Penalty = "l2",
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """Mean over real tokens and k, l, m of penalty(cosine of the student - of the teacher) of the angle at k."""
    distances = _distances(student, teacher, attention_mask)
    return layer_angle_of(
        *distances, attention_mask, student.shape[0], penalty=penalty, layer_reduction=layer_reduction
    )


def layer_angle_of(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    layers: int,
    *,
    penalty: Penalty = "l2",
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """layer_angle of layer_distances [B, L, P] between ``layers`` K matched states."""
    ours, theirs = widened(student.flatten(0, 1), teacher.detach().flatten(0, 1))
    total = angle_sum(ours, theirs, layers, penalty=penalty)
    return reduce_layers(total, layers, attention_mask.bool().sum() * layers**2, layer_reduction)


def _distances(student: Tensor, teacher: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        theirs = layer_distances(teacher, attention_mask)
    return layer_distances(student, attention_mask), theirs
