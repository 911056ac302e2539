"""Point-wise losses on hidden states and raw attention scores: PKD, TinyBERT, DistilBERT.

Shapes: states [..., B, L, D], scores [..., B, H, L, L], attention_mask [B, L] with 1 on the n_b real tokens; leading
dimensions are the K matched layers. Student and teacher have one shape (project first where the widths differ), else
ValueError; the teacher is a constant. A mask takes padding out altogether: its values are not read (NaN may stand
there), and the result does not depend on how much of it there is. No real token at all gives 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened
from .unit import unit

# Raw scores of masked keys lie near -10000; published code (TinyBERT's, and CKD's after it) zeroes what is below this.
_MASKED_SCORE = -100.0


def cls_patience(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean (unit(s) - unit(t))^2 over every element of states [..., D]; PKD (Sun et al. 2019, eq. 7).

    PKD itself passes the [CLS] states [K, B, D] only; passing all tokens [K, B, L, D] gives the other published form.
    The paper prints a sum over samples and layers, the code takes this mean: K * B * D times smaller.
    """
    student, teacher = _pair(student, teacher)
    return F.mse_loss(unit(student), unit(teacher))


def hidden_mse(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Mean (s - t)^2 over every element of states [K, B, L, D]; TinyBERT (Jiao et al. 2020, eq. 8 and 9).

    Without a mask padding counts as in the published code; with one, the sum over real tokens / (K sum_b n_b D).
    """
    student, teacher = _pair(student, teacher)
    if attention_mask is None:
        return F.mse_loss(student, teacher)
    return _mean_where(attention_mask.bool().unsqueeze(-1), student, teacher)


def attention_mse(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Mean squared difference of raw scores [K, B, H, L, L], each <= -100 taken as 0; TinyBERT (eq. 7).

    Without a mask padding counts as in the published code, its queries in full and its keys as 0; with one, the sum
    over pairs of real tokens / (K H sum_b n_b^2).
    """
    student, teacher = (
        torch.where(scores <= _MASKED_SCORE, 0.0, scores)  # those of keys that a causal mask hides are so low, too
        for scores in _pair(student, teacher)
    )
    if attention_mask is None:
        return F.mse_loss(student, teacher)
    real = attention_mask.bool()
    return _mean_where((real.unsqueeze(-1) & real.unsqueeze(-2)).unsqueeze(-3), student, teacher)


def cosine_loss(student: Tensor, teacher: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over real tokens of 1 - cos(s, t), for states [..., B, L, D]; DistilBERT (Sanh et al. 2019).

    The cosine with a zero vector is 0, without gradient.
    """
    student, teacher = _pair(student, teacher)
    real = attention_mask.bool()
    student, teacher = (torch.where(real.unsqueeze(-1), states, 0.0) for states in (student, teacher))
    distance = 1 - (unit(student) * unit(teacher)).sum(dim=-1)
    layers = distance.numel() // real.numel()
    return torch.where(real, distance, 0.0).sum() / (real.sum() * layers).clamp_min(1)


def _pair(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    # Unequal shapes may broadcast, to a mean over something else.
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}: their shapes must be equal")
    student, teacher = widened(student, teacher.detach())
    return student, teacher


def _mean_where(counted: Tensor, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean (s - t)^2 over the elements that ``counted``, broadcast over them, marks; 0 where it marks none."""
    squares = torch.where(counted, student - teacher, 0.0).square()
    return squares.sum() / (counted.sum() * (squares.numel() // counted.numel())).clamp_min(1)
