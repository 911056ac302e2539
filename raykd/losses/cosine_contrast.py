"""The losses of LRC-BERT (Fu et al. 2021, eqs. 1-5): COS-NCE on hidden states, and a softened hard loss.

Shapes: student and teacher [M, B, L, D'] hold the M matched hidden states of B sentences, the student's already
projected to the teacher's width; attention_mask [B, L] is 1 on real tokens, which come first. The teacher is a
constant.

With the distance g(x, y) = 1 - cos(x, y), the loss of sentence b (the anchor) at one layer is

    g(t_b, z_b)  +  1 / 2(B - 1)  sum over j != b of (2 - (g(t_j, z_b) - g(t_b, z_b)))

for the student's output z and the teacher's t: the teacher outputs of the other sentences are the negatives. A batch of
one sentence has none: the second part is 0, and the first remains. A zero vector has cosine 0 with everything.

``view`` says how an output [L, D'] is a vector:

- ``flat`` (default): flattened, padding being 0;
- ``token``: g is the average of that of single positions, the real ones of both sentences;
- ``cls``: position 0;
- ``mean``: the mean of the real tokens.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened, without_autocast
from .unit import unit

View = Literal["flat", "token", "cls", "mean"]


def cos_nce(student: Tensor, teacher: Tensor, attention_mask: Tensor, view: View = "flat") -> Tensor:
    """The mean of ``cos_nce_terms`` over the B anchors, summed over the M layers; scalar."""
    return cos_nce_terms(student, teacher, attention_mask, view).mean(dim=1).sum()


def cos_nce_terms(student: Tensor, teacher: Tensor, attention_mask: Tensor, view: View = "flat") -> Tensor:
    """The loss of every layer and anchor, [M, B], 0 to 4 each. Needs memory for the features and [M, B, B]."""
    if student.shape != teacher.shape or student.dim() != 4:
        raise ValueError(
            f"student states {tuple(student.shape)}, teacher's {tuple(teacher.shape)}: both are [M, B, L, D]"
        )
    student, teacher = widened(student, teacher.detach())
    cosines = _cosines(student, teacher, attention_mask.bool(), view)
    positive = cosines.diagonal(dim1=-2, dim2=-1)
    others = student.shape[1] - 1
    itself = torch.eye(others + 1, dtype=torch.bool, device=cosines.device)
    # 2 - (g_negative - g_positive) = 2 + cos_negative - cos_positive
    negatives = (2 + cosines - positive.unsqueeze(-1)).masked_fill(itself, 0.0).sum(dim=-1)
    return negatives / (2 * max(others, 1)) + 1 - positive


def softened_hard(logits: Tensor, labels: Tensor, tau: float) -> Tensor:
    """``mean_b -softmax(onehot(y) / tau) . ln softmax(s)`` for logits [B, C], labels [B]; scalar.

    Equation 5 as printed: the labels are softened, heavily (tau 1.1 and 3 classes: 0.55 on the true one), the student
    is not.
    """
    (logits,) = widened(logits)
    hard = F.one_hot(labels.long(), logits.shape[-1]).to(logits.dtype)
    return -(torch.softmax(hard / tau, dim=-1) * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def _cosines(student: Tensor, teacher: Tensor, real: Tensor, view: View) -> Tensor:
    """cos(z_b, t_j) of every anchor b and teacher output j, [M, B, B]."""
    ours, theirs = _features(student, real, view), _features(teacher, real, view)
    with without_autocast(student):
        products = ours @ theirs.transpose(-1, -2)
        if view == "token":
            # So far the sum of the cosines of the positions that both sentences have: their number is missing.
            counted = real.to(products.dtype)
            products = products / (counted @ counted.T).clamp_min(1)
    return products.clamp(-1, 1)  # rounding made the distance to an equal output negative


def _features(states: Tensor, real: Tensor, view: View) -> Tensor:
    """What the inner products of a view are of, [M, B, F]: unit vectors; for ``token`` a unit vector for each token."""
    states = torch.where(real.unsqueeze(-1), states, 0.0)
    if view == "flat":
        return unit(states.flatten(2))
    if view == "token":
        return unit(states).flatten(2)
    if view == "cls":
        return unit(states[:, :, 0])
    if view == "mean":
        return unit(states.sum(dim=2) / real.sum(dim=-1, keepdim=True).clamp_min(1))
    raise ValueError(f"view {view!r}: allowed are 'flat', 'token', 'cls' and 'mean'")
