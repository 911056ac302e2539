"""Relations across the layers of one word: the LTR terms of Park et al. 2021 (CKD).

The same quantities as across words, over the K matched states of one real token; layers k, l, m take the place of the
words i, j, k. Shapes: student [K, B, L, D_s], teacher [K, B, L, D_t], attention_mask [B, L]. The widths may differ; the
teacher is a constant. ``layer_reduction``: the mean over the layer that is i above (the published code) or their sum
(the paper), K times the mean; the other layers are always averaged over.
"""

from __future__ import annotations

from torch import Tensor

from .angles import angle_sum
from .relations import LayerReduction, Penalty, pair_distance_sum, pair_kl_sum, reduce_layers


def layer_pair_kl(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, layer_reduction: LayerReduction = "mean"
) -> Tensor:
    """KL of softmax over l != k of cos(x_k, x_l), over K^2 sum_b n_b; the published default."""
    layers = student.shape[0]
    states, teacher_states, real = _by_token(student, teacher, attention_mask)
    total = pair_kl_sum(states, teacher_states, real)
    return reduce_layers(total, layers, attention_mask.bool().sum() * layers, layer_reduction)


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
    layers = student.shape[0]
    states, teacher_states, real = _by_token(student, teacher, attention_mask)
    pairs = real.unsqueeze(-1) & real.unsqueeze(-2)
    total = pair_distance_sum(
        states, teacher_states, real, pairs, normalise=normalise, squared=squared, penalty=penalty
    )
    return reduce_layers(total, layers, attention_mask.bool().sum() * layers, layer_reduction)


def layer_angle(
    student: Tensor,
    teacher: Tensor,
    attention_mask: Tensor,
    *,
    penalty: Penalty = "l2",
    layer_reduction: LayerReduction = "mean",
) -> Tensor:
    """Mean over real tokens and k, l, m of penalty(cosine of the student - of the teacher) of the angle at k."""
    layers = student.shape[0]
    states, teacher_states, real = _by_token(student, teacher, attention_mask)
    corners = (real.unsqueeze(-1) & real.unsqueeze(-2)).long()
    total = angle_sum(states, teacher_states, real, corners, reach=None, penalty=penalty)
    return reduce_layers(total, layers, attention_mask.bool().sum() * layers**2, layer_reduction)


def _by_token(student: Tensor, teacher: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States as points [B, L, K, D], and whether each counts [B, L, K]."""
    real = attention_mask.bool().unsqueeze(-1).expand(*attention_mask.shape, student.shape[0])
    return student.permute(1, 2, 0, 3), teacher.permute(1, 2, 0, 3), real
