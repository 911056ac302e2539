"""Losses without a larger teacher: label smoothing, the virtual teacher, an earlier copy of the student.

Teacher-free KD is Yuan et al. 2020. Shapes: student_logits [B, C] with labels [B], or any other [..., C] with [...].
The label -100 means "no label": such rows are left out of every mean over labelled rows, whatever their logits hold,
and where no row has a label the loss is 0 with a graph. Labels may have any integer dtype. Nothing multiplies by the
weight of an objective.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .logits import NO_LABEL, kl_divergence
from .precision import widened

Onto = Literal["every", "others"]


def label_smoothing(student_logits: Tensor, labels: Tensor, smoothing: float, *, onto: Onto) -> Tensor:
    """Cross-entropy with targets that move a mass of ``smoothing`` away from the label; scalar, mean over the labels.

    - ``onto="every"``: spread over all C classes, the label's included, which hence keeps 1 - smoothing + smoothing / C
      (``label_smoothing`` of torch; a text that weighs the label with alpha means smoothing = 1 - alpha);
    - ``onto="others"``: spread over the C - 1 other classes only (the code of teacher-free KD, which calls it alpha).

    Smoothing 0 is plain cross-entropy. Raises ValueError for a smoothing outside 0..1, another ``onto``, shapes that do
    not fit, and one class where ``others`` are wanted.
    """
    if onto not in ("every", "others"):
        raise ValueError(f"onto {onto!r}: allowed are 'every' and 'others'")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing {smoothing}: it is 0 or more, and at most 1")
    logits, real, known = _rows(student_logits, labels)
    classes = logits.shape[-1]
    if onto == "others" and classes < 2:
        raise ValueError(f"{classes} class: smoothing onto the others wants 2 classes or more")
    log_q = torch.log_softmax(logits, dim=-1)
    at_label, over_all = log_q.gather(-1, known.unsqueeze(-1)).squeeze(-1), log_q.sum(dim=-1)
    spread = over_all / classes if onto == "every" else (over_all - at_label) / (classes - 1)
    return _mean(-((1 - smoothing) * at_label + smoothing * spread), real)


def virtual_targets(
    labels: Tensor,
    classes: int,
    *,
    correct_probability: float = 0.99,
    temperature: float = 20.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The virtual teacher's probabilities softmax(u / T), [..., C] for labels [...] in 0..C-1.

    u is ``correct_probability`` for the label and an equal share of the rest for every other class. As published, these
    *probabilities* take the place of logits: with T = 20 the target is nearly uniform.
    Raises ValueError for fewer than 2 classes, a probability outside 0..1, and a temperature that is not above 0.
    """
    return _log_virtual_targets(labels, classes, correct_probability, temperature, dtype).exp()


def virtual_teacher(
    student_logits: Tensor,
    labels: Tensor,
    *,
    correct_probability: float = 0.99,
    temperature: float = 20.0,
    multiplier: float = 1.0,
) -> Tensor:
    """``multiplier`` times KL(virtual targets || softmax(s)), mean over labelled rows and classes (B * C); scalar.

    As published the student is not softened and there is no T^2. Raises ValueError as ``virtual_targets`` does.
    """
    logits, real, known = _rows(student_logits, labels)
    log_targets = _log_virtual_targets(known, logits.shape[-1], correct_probability, temperature, logits.dtype)
    log_q = torch.log_softmax(logits, dim=-1)
    divergence = F.kl_div(log_q, log_targets, reduction="none", log_target=True).mean(dim=-1)
    return multiplier * _mean(divergence, real)


def self_distillation(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0, *, multiplier: float = 1.0
) -> Tensor:
    """``multiplier`` times ``T^2 KL(teacher || student)``, mean over B * C, for logits [B, C]; scalar.

    The teacher is an earlier copy of the same network; no label is needed.
    """
    return multiplier * kl_divergence(student_logits, teacher_logits, temperature, reduction="elementmean")


def _log_virtual_targets(
    labels: Tensor, classes: int, correct_probability: float, temperature: float, dtype: torch.dtype
) -> Tensor:
    if classes < 2:
        raise ValueError(f"{classes} class: a virtual teacher wants 2 classes or more")
    if not 0 <= correct_probability <= 1:
        raise ValueError(f"correct_probability {correct_probability}: it is 0 or more, and at most 1")
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}: it is above 0")
    share = (1 - correct_probability) / (classes - 1)
    others = torch.full((*labels.shape, classes), share, dtype=dtype, device=labels.device)
    u = others.scatter(-1, labels.long().unsqueeze(-1), correct_probability)
    return torch.log_softmax(u / temperature, dim=-1)


def _rows(student_logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (0 in rows without a label), which rows have one, and the labels (0 where there is none)."""
    if student_logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"student logits {tuple(student_logits.shape)}, labels {tuple(labels.shape)}: wanted is one label a row"
        )
    real = labels != NO_LABEL
    (logits,) = widened(student_logits)
    # Zeroed before any arithmetic, so that NaN in a row without a label reaches neither value nor gradient.
    return torch.where(real.unsqueeze(-1), logits, 0.0), real, torch.where(real, labels.long(), 0)


def _mean(values: Tensor, real: Tensor) -> Tensor:
    return torch.where(real, values, 0.0).sum() / real.sum().clamp_min(1)
