"""Annealing-KD, phase one: the student's logits follow those of a teacher that sharpens in steps (Jafari et al. 2021).

The teacher's logits are multiplied by c = t / tau_max, where t grows from 1 to tau_max. In the paper's letters
tau = tau_max - t + 1 falls, and c = Phi(tau) = 1 - (tau - 1) / tau_max. Phase two is plain cross-entropy.
"""

from __future__ import annotations

import math

from torch import Tensor

from .logits import Reduction
from .precision import widened

# progress * tau_max is off by rounding where a step ends exactly; no phase has as many optimiser steps as 1 / this.
_ROUNDING = 1e-9


def annealing_temperature(epoch: int, epochs: int, tau_max: int, *, clamp: bool = True) -> int:
    """t of an epoch (0, 1, ... epochs - 1) of phase one, as published: one more every floor(epochs / tau_max) epochs.

    Where tau_max does not divide the epochs the published t runs past tau_max (30 epochs with 14 end at 15); ``clamp``
    stops it there. Raises ValueError for an epoch that phase one does not have, and for more steps than epochs.
    """
    if not 1 <= tau_max <= epochs:
        raise ValueError(f"tau_max {tau_max} in {epochs} epochs of phase one: it is 1 or more, and at most the epochs")
    if not 0 <= epoch < epochs:
        raise ValueError(f"epoch {epoch} of phase one: its epochs are 0 to {epochs - 1}")
    temperature = 1 + epoch // (epochs // tau_max)
    return min(temperature, tau_max) if clamp else temperature


def annealed_scale(progress: float, tau_max: int) -> float:
    """c by how much of phase one is done once this optimiser step is: (k + 1) / n for the k-th (from 0) of n steps.

    The steps are shared out evenly among t = 1..tau_max, whatever their number: c = ceil(progress * tau_max) / tau_max.
    Where tau_max divides the epochs that is ``annealing_temperature`` / tau_max.
    Raises ValueError for a tau_max below 1, and a progress that is not in (0, 1].
    """
    if tau_max < 1:
        raise ValueError(f"tau_max {tau_max}: it is 1 or more")
    if not 0 < progress <= 1 + _ROUNDING:
        raise ValueError(f"progress {progress} of phase one: it is above 0, and at most 1")
    temperature = math.ceil(progress * tau_max - _ROUNDING)
    return min(max(temperature, 1), tau_max) / tau_max


def annealed_mse(
    student_logits: Tensor, teacher_logits: Tensor, scale: float, *, reduction: Reduction = "elementmean"
) -> Tensor:
    """(s - c t)^2 for logits [B, C] (regression: [B, 1] or [B]) and c = ``scale``; scalar.

    ``elementmean`` divides the sum by B * C (the published code), ``batchmean`` by B (the paper's squared norm).
    Raises ValueError for another reduction and for unequal shapes: [B, 1] minus [B] would broadcast to [B, B].
    """
    if reduction not in ("batchmean", "elementmean"):
        raise ValueError(f"reduction {reduction!r}: allowed are 'batchmean' and 'elementmean'")
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student logits {tuple(student_logits.shape)}, teacher's {tuple(teacher_logits.shape)}")
    student, teacher = widened(student_logits, teacher_logits.detach())
    squared = (student - scale * teacher).square()
    return squared.mean() if reduction == "elementmean" else squared.sum() / len(squared)
