"""Point-wise losses on hidden states and attention scores, as coded beside CKD's relations for comparison."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened

# Raw scores of masked keys lie near -10000; published code (TinyBERT's, and CKD's after it) zeroes what is below this.
_MASKED_SCORE = -100.0


def cls_patience(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean (unit(s) - unit(t))^2 over every element of states [..., D] of equal shape; PKD (Sun et al. 2019).

    PKD itself passes the [CLS] states [K, B, D] only; passing all tokens [K, B, L, D] gives the other published form.
    """
    student, teacher = widened(student, teacher.detach())
    return F.mse_loss(F.normalize(student, dim=-1, eps=1e-12), F.normalize(teacher, dim=-1, eps=1e-12))


def hidden_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean (s - t)^2 over every element of states [K, B, L, D] of equal width, padding included."""
    student, teacher = widened(student, teacher.detach())
    return F.mse_loss(student, teacher)


def attention_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of raw attention scores [..., L, L], those of masked keys (<= -100) taken as 0."""
    student, teacher = widened(student, teacher.detach())
    student = torch.where(student <= _MASKED_SCORE, 0.0, student)
    return F.mse_loss(student, torch.where(teacher <= _MASKED_SCORE, 0.0, teacher))
