"""Losses on predictions: soft targets of the teacher and hard labels.

Conventions differ between publications, so each is a function or an argument of its own; none multiplies by a weight.
The teacher side is a constant throughout. C is the number of classes, B the batch.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened

Reduction = Literal["batchmean", "elementmean"]

# The class label of a row without one; that of a real-valued label is NaN.
NO_LABEL = -100


def soft_cross_entropy(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0, *, reduction: Reduction = "batchmean"
) -> Tensor:
    """Cross-entropy of the student under the teacher's soft targets, both [B, C]; scalar.

    ``-sum_b sum_c softmax(t/T)_c ln softmax(s/T)_c``: no T^2. ``batchmean`` divides by B (code of Park et al. 2021),
    ``elementmean`` by B * C (code of TinyBERT). Raises ValueError for another reduction.
    """
    student, teacher = widened(student_logits, teacher_logits.detach())
    targets = torch.softmax(teacher / temperature, dim=-1)
    return -_reduced(targets * torch.log_softmax(student / temperature, dim=-1), reduction)


def kl_divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0, *, reduction: Reduction = "batchmean"
) -> Tensor:
    """``T^2 KL(softmax(t/T) || softmax(s/T))`` for logits [B, C]; scalar (Hinton et al. 2015).

    ``batchmean`` divides the sum by B; ``elementmean`` by B * C, as the code of PKD, TAKD and teacher-free KD does.
    Raises ValueError for another reduction.
    """
    student, teacher = widened(student_logits, teacher_logits.detach())
    log_targets = torch.log_softmax(teacher / temperature, dim=-1)
    divergence = F.kl_div(
        torch.log_softmax(student / temperature, dim=-1), log_targets, reduction="none", log_target=True
    )
    return temperature**2 * _reduced(divergence, reduction)


def _reduced(terms: Tensor, reduction: Reduction) -> Tensor:
    """The sum of [B, C] by B or by B * C; 0 for no row."""
    if reduction not in ("batchmean", "elementmean"):
        raise ValueError(f"reduction {reduction!r}: allowed are 'batchmean' and 'elementmean'")
    of_rows = terms.sum(dim=-1)
    mean = of_rows.sum() / max(of_rows.numel(), 1)
    return mean / terms.shape[-1] if reduction == "elementmean" else mean


def logits_mse(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """``mean (s/T - t/T)^2`` over every element of two equal shapes; the soft loss of regression tasks."""
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student logits {tuple(student_logits.shape)}, teacher's {tuple(teacher_logits.shape)}")
    student, teacher = widened(student_logits, teacher_logits.detach())
    return F.mse_loss(student / temperature, teacher / temperature)


def hard_cross_entropy(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [B, C] with class labels [B] (any integer dtype), mean over the rows that have one.

    -100 means no label, as with unlabelled text; where no row has one the loss is 0.
    """
    (student,) = widened(student_logits)
    classes = labels.long()
    total = F.cross_entropy(student, classes, ignore_index=NO_LABEL, reduction="sum")
    return total / (classes != NO_LABEL).sum().clamp_min(1)


def regression_mse(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of predictions [B, 1] (or [B]) with real labels [B] (or [B, 1]), over the rows that have one.

    NaN means no label; where no row has one the loss is 0.
    The two are compared sample by sample: [B, 1] minus [B] would broadcast to [B, B] without a word.
    Raises ValueError unless both hold B numbers.
    """
    if student_logits.numel() != labels.numel() or student_logits.numel() != student_logits.shape[0]:
        raise ValueError(
            f"regression wants one number a sample: predictions {tuple(student_logits.shape)}, "
            f"labels {tuple(labels.shape)}"
        )
    student, target = (values.reshape(-1) for values in widened(student_logits, labels))
    labelled = ~target.isnan()
    return torch.where(labelled, student - target, 0.0).square().sum() / labelled.sum().clamp_min(1)
