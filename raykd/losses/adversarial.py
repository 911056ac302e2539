"""Losses of generator and student on invented text: MATE-KD (Rashid et al. 2021) and Combined-KD, the same annealed.

Logits are [B, C]; those of a regression [B, 1] or [B]. Two kinds of step take turns: the generator changes the text so
that student and teacher disagree, the student learns from both texts.

An exception: ``divergence`` and ``generator_loss`` do NOT detach the teacher's logits. The invented text runs through
the teacher too, and the generator wants the gradient of both paths; freeze the teacher's weights instead
(``requires_grad_(False)``). The losses of the student do take the teacher as a constant; give them logits of text that
was invented without gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .logits import hard_cross_entropy, regression_mse
from .precision import widened

Divergence = Literal["cross_entropy", "kl", "mse"]


def divergence(student_logits: Tensor, teacher_logits: Tensor, kind: Divergence = "cross_entropy") -> Tensor:
    """How far the student is from the teacher, with gradient to BOTH; at T = 1, mean over the batch; scalar.

    - ``cross_entropy`` (MATE-KD's code): ``-sum_c p_c ln q_c``, p of the teacher, q of the student;
    - ``kl`` (as MATE-KD is also written): ``sum_c p_c ln(p_c / q_c)``. Its gradient is the same for the student, not
      for the generator, whose text changes the teacher's entropy as well;
    - ``mse`` (regression; Combined-KD always): ``(s - t)^2``, mean over B and C.

    Raises ValueError for another kind, and for logits that do not belong together one by one.
    """
    if kind == "mse":
        return _mse(student_logits, teacher_logits)
    if kind not in ("cross_entropy", "kl"):
        raise ValueError(f"divergence {kind!r}: allowed are 'cross_entropy', 'kl' and 'mse'")
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"student logits {tuple(student_logits.shape)}, teacher's {tuple(teacher_logits.shape)}")
    student, teacher = widened(student_logits, teacher_logits)
    log_q, log_p = torch.log_softmax(student, dim=-1), torch.log_softmax(teacher, dim=-1)
    return (log_p.exp() * (log_p - log_q if kind == "kl" else -log_q)).sum(dim=-1).mean()


def generator_loss(student_logits: Tensor, teacher_logits: Tensor, kind: Divergence = "cross_entropy") -> Tensor:
    """What the generator lowers: minus the divergence on its text, with gradient through student and teacher."""
    return -divergence(student_logits, teacher_logits, kind)


def mate_student(
    student_clean: Tensor,
    teacher_clean: Tensor,
    student_adversarial: Tensor,
    teacher_adversarial: Tensor,
    labels: Tensor,
    *,
    regression: bool = False,
) -> Tensor:
    """MATE-KD's loss of the student: a third each of labels, divergence on invented and divergence on clean text.

    ``labels`` are classes [B]; of a regression real numbers [B], and all three parts are mean squared errors.
    """
    kind: Divergence = "mse" if regression else "cross_entropy"
    adversarial = divergence(student_adversarial, teacher_adversarial.detach(), kind)
    clean = divergence(student_clean, teacher_clean.detach(), kind)
    return (_hard(student_clean, labels, regression) + adversarial + clean) / 3


def combined_phase_one(
    student_clean: Tensor,
    teacher_clean: Tensor,
    student_adversarial: Tensor,
    teacher_adversarial: Tensor,
    scale: float,
) -> Tensor:
    """Combined-KD's first phase: half each of MSE(student, c teacher) on invented and on clean text.

    ``scale`` is the annealing's c = Phi(tau), from 1 / tau_max up to 1. The second phase is plain cross-entropy.
    """
    adversarial = _annealed_mse(student_adversarial, teacher_adversarial, scale)
    return 0.5 * (adversarial + _annealed_mse(student_clean, teacher_clean, scale))


def combined_phase_one_bert(
    student_clean: Tensor, teacher_clean: Tensor, labels: Tensor, scale: float, *, regression: bool = False
) -> Tensor:
    """The first phase as published for BERT: half each of the labels and MSE(student, c teacher), on clean text only.

    That script invents text and does not use it.
    """
    return 0.5 * (_hard(student_clean, labels, regression) + _annealed_mse(student_clean, teacher_clean, scale))


def _hard(student_logits: Tensor, labels: Tensor, regression: bool) -> Tensor:
    return regression_mse(student_logits, labels) if regression else hard_cross_entropy(student_logits, labels)


def _annealed_mse(student_logits: Tensor, teacher_logits: Tensor, scale: float) -> Tensor:
    student, teacher = widened(student_logits, teacher_logits.detach())
    return _mse(student, scale * teacher)


def _mse(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Row by row: [B, 1] minus [B] would broadcast to [B, B] without a word."""
    student, teacher = widened(student_logits, teacher_logits)
    student, teacher = student.reshape(len(student), -1), teacher.reshape(len(teacher), -1)
    if student.shape != teacher.shape:
        raise ValueError(f"student logits {tuple(student_logits.shape)}, teacher's {tuple(teacher_logits.shape)}")
    return F.mse_loss(student, teacher)
