"""Losses on the vocabulary logits of a language model at selected positions, as DistilBERT's pre-training uses them.

Logits are [B, L, V]. N is the number of selected positions in the whole batch, so that every position weighs the same;
where none is selected a loss is 0. What is not selected is not read: padding may hold anything. Only selected logits
are widened to float32, as V is large. The teacher is a constant.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .logits import NO_LABEL, hard_cross_entropy, kl_divergence
from .precision import widened


def vocabulary_kl(student: Tensor, teacher: Tensor, selected: Tensor, temperature: float = 1.0) -> Tensor:
    """``T^2/N sum KL(softmax(t/T) || softmax(s/T))`` over the positions in ``selected`` [B, L]; scalar.

    DistilBERT (Sanh et al. 2019) selects every attended token; its ``restrict_ce_to_mask`` those to be predicted.
    """
    return kl_divergence(*_at(selected, student, teacher), temperature)


def vocabulary_mse(student: Tensor, teacher: Tensor, selected: Tensor) -> Tensor:
    """``1/N sum (s - t)^2``: summed over the vocabulary, not averaged, at the positions in ``selected`` [B, L]."""
    student, teacher = _at(selected, student, teacher)
    student, teacher = widened(student, teacher.detach())
    return F.mse_loss(student, teacher, reduction="sum") / max(len(student), 1)


def masked_lm(student: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with the token ids ``labels`` [B, L], mean over the positions where they are not -100; scalar."""
    selected = labels != NO_LABEL
    return hard_cross_entropy(student[selected], labels[selected])


def _at(selected: Tensor, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [N, V] of both. Raises ValueError where the two shapes differ: other vocabularies cannot be compared."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"student logits {tuple(student.shape)}, teacher's {tuple(teacher.shape)}: they must be of one vocabulary"
        )
    chosen = selected.bool()  # an integer mask would index positions 0 and 1
    return student[chosen], teacher[chosen]
