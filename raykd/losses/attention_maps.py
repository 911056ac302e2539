"""Losses on raw attention scores QK^T / sqrt(d_h), before the softmax: TextBrewer (Yang et al. 2020).

Shapes: scores [B, H, L, L] (query, key), attention_mask [B, L] with 1 on the n_b real tokens. The teacher is a
constant. `att_mse` and `att_ce` compare head by head, and refuse (ValueError) unequal shapes; `att_mse_sum` and
`att_ce_mean` compare the sum or mean over the heads, whose numbers may differ. No real token at all gives 0.

With a mask, queries and keys of padding are not compared. The softmax of the `ce` losses still runs over all L keys, as
published: give scores with the mask already added (-10000 or -inf on keys of padding), as the network's own softmax
has them, for padding not to matter.

Without one, each score <= -1e-3 counts as masked, as published, be it of a real key or not: the squares take it as 0,
the cross-entropies drop what the teacher gives it. About half of all ordinary scores are negative, so give the mask.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import widened

_MASKED_SCORE = -1e-3


def att_mse(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Mean (s - t)^2 of the scores: over all, or over the H sum_b n_b^2 between real tokens; scalar."""
    return _squares(*_head_by_head(student, teacher), attention_mask)


def att_mse_sum(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """`att_mse` of the scores summed over the heads; scalar."""
    student, teacher = widened(student, teacher.detach())
    return _squares(student.sum(dim=1, keepdim=True), teacher.sum(dim=1, keepdim=True), attention_mask)


def att_ce(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """-mean over heads and real queries of sum_j softmax_j(t) ln softmax_j(s), j the real keys; scalar."""
    return _cross_entropy(*_head_by_head(student, teacher), attention_mask)


def att_ce_mean(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """`att_ce` of the scores averaged over the heads; scalar."""
    student, teacher = widened(student, teacher.detach())
    return _cross_entropy(student.mean(dim=1, keepdim=True), teacher.mean(dim=1, keepdim=True), attention_mask)


def _head_by_head(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    if student.shape != teacher.shape:
        raise ValueError(f"student scores {tuple(student.shape)}, teacher's {tuple(teacher.shape)}")
    student, teacher = widened(student, teacher.detach())
    return student, teacher


def _squares(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    if attention_mask is None:
        student, teacher = (torch.where(scores <= _MASKED_SCORE, 0.0, scores) for scores in (student, teacher))
        return (student - teacher).square().mean()
    counted = _pairs(attention_mask)
    # The scores, not the difference: that of two infinities is NaN.
    student, teacher = (torch.where(counted, scores, 0.0) for scores in (student, teacher))
    return (student - teacher).square().sum() / (student.shape[1] * counted.sum()).clamp_min(1)


def _cross_entropy(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    if attention_mask is None:
        counted = teacher > _MASKED_SCORE
        queries = counted.new_ones(()).expand(student.shape[0] * student.shape[-2])
    else:
        counted = _pairs(attention_mask)
        queries = attention_mask.bool()
        # A row of padding may hold anything, -inf throughout included.
        student, teacher = (torch.where(queries[:, None, :, None], scores, 0.0) for scores in (student, teacher))
    targets = torch.where(counted, torch.softmax(teacher, dim=-1), 0.0)
    log_student = torch.where(counted, torch.log_softmax(student, dim=-1), 0.0)
    return -(targets * log_student).sum() / (student.shape[1] * queries.sum()).clamp_min(1)


def _pairs(attention_mask: Tensor) -> Tensor:
    """[B, 1, L, L]: whether query and key are real."""
    real = attention_mask.bool()
    return (real.unsqueeze(-1) & real.unsqueeze(-2)).unsqueeze(1)
