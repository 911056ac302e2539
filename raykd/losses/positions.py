"""Soft losses with a temperature for each sample, or for each position of a sequence: TextBrewer (Yang et al. 2020).

Shapes: logits [B, C], or [B, L, C] for sequences, equal on both sides. ``temperature`` is a number, a tensor of one for
each sample [B], or one for each position [B, L]; a constant. The teacher is a constant. Raises ValueError for unequal
shapes and for a temperature whose shape is not that of the first dimensions of the logits: it would broadcast.

There is no T^2, as published. For one number they are `soft_cross_entropy` and `logits_mse`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened


def position_cross_entropy(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor) -> Tensor:
    """-mean over samples and positions of sum_c softmax(t/T)_c ln softmax(s/T)_c; scalar."""
    student, teacher = _softened(student_logits, teacher_logits, temperature)
    return -(torch.softmax(teacher, dim=-1) * torch.log_softmax(student, dim=-1)).sum(dim=-1).mean()


def position_mse(student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Mean (s/T - t/T)^2 over every element; scalar."""
    return F.mse_loss(*_softened(student_logits, teacher_logits, temperature))


def _softened(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    if student.shape != teacher.shape:
        raise ValueError(f"student logits {tuple(student.shape)}, teacher's {tuple(teacher.shape)}")
    student, teacher = widened(student, teacher.detach())
    if not isinstance(temperature, Tensor):
        return student / temperature, teacher / temperature
    if temperature.dim() >= student.dim() or temperature.shape != student.shape[: temperature.dim()]:
        raise ValueError(
            f"temperature {tuple(temperature.shape)} for logits {tuple(student.shape)}: "
            f"one number, one a sample or one a position"
        )
    each = temperature.detach().reshape(*temperature.shape, *(1,) * (student.dim() - temperature.dim()))
    return student / each.to(student.dtype), teacher / each.to(student.dtype)
