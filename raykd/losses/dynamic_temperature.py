"""A temperature for each sample from the predictions: FLSW and CWSM of Ding et al. 2019 (arXiv:1911.07471).

Logits [B, C] in, temperatures [B] out, constants to autograd, in the form TextBrewer gives them:
T_b = base + beta (mean(w) - w_b), so the mean over the batch is ``base``, and every T_b is positive only where
beta times the spread of w is below it. `positions` has the losses that take them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import widened
from .unit import unit


def flsw(
    student_logits: Tensor, teacher_logits: Tensor, *, base: float, beta: float = 1.0, gamma: float = 2.0
) -> Tensor:
    """Focal-loss style weights: w = (1 - <s / (|s| + 1e-4), t / (|t| + 1e-4)>)^gamma; hotter where both agree."""
    student, teacher = widened(student_logits.detach(), teacher_logits.detach())
    student, teacher = unit(student, added=1e-4), unit(teacher, added=1e-4)
    # Rounding may bring the cosine of large equal logits above 1, and the power of a negative number is NaN.
    return _about(base, beta, (1 - (student * teacher).sum(dim=-1)).clamp_min(0).pow(gamma))


def cwsm(student_logits: Tensor, *, base: float, beta: float = 1.0) -> Tensor:
    """Confidence weights: w = 1 / (max softmax(s) + 1e-3); hotter where the student is sure."""
    (student,) = widened(student_logits.detach())
    return _about(base, beta, 1 / (torch.softmax(student, dim=-1).amax(dim=-1) + 1e-3))


def _about(base: float, beta: float, weights: Tensor) -> Tensor:
    return base + beta * (weights.mean() - weights)
