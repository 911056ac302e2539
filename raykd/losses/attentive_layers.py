"""ALP-KD: each student layer learns from an attention-weighted mean of teacher layers (Passban et al. 2021).

Shapes: student [m, B, D] and teacher [n, B, D] hold one vector a sample and layer (the [CLS] states, say) of m student
and n teacher layers of equal width; networks of unequal width are projected first. ``allowed`` [m, n] says which
teacher layers a student layer may attend to. The teacher is a constant; the gradient flows through the weights too.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import widened, without_autocast

Buckets = Literal["all", "no", "po"]
Reduction = Literal["mean", "sum"]


def buckets(student_layers: int, teacher_layers: int, kind: Buckets = "all") -> Tensor:
    """Which of n teacher layers each of m student layers attends to: bool [m, n] on the CPU, layer 0 the lowest.

    - ``all``: every one;
    - ``no`` (no overlap): the j-th of m consecutive blocks of n / m;
    - ``po`` (partial overlap): that block and one layer more on either side, where there is one.

    Raises ValueError for another kind, a network without layers, and blocks where m does not divide n.
    """
    if kind not in ("all", "no", "po"):
        raise ValueError(f"buckets {kind!r}: allowed are 'all', 'no' and 'po'")
    if student_layers < 1 or teacher_layers < 1:
        raise ValueError(f"{student_layers} student and {teacher_layers} teacher layers: each has 1 layer or more")
    if kind == "all":
        return torch.ones(student_layers, teacher_layers, dtype=torch.bool)
    if teacher_layers % student_layers:
        divisors = [m for m in range(1, teacher_layers + 1) if teacher_layers % m == 0]
        raise ValueError(
            f"buckets {kind!r} cannot share out {teacher_layers} teacher layers among {student_layers} student layers: "
            f"a student of {', '.join(map(str, divisors))} layers can, or buckets 'all'"
        )
    size, widened_by = teacher_layers // student_layers, int(kind == "po")
    first = size * torch.arange(student_layers).unsqueeze(1)
    layer = torch.arange(teacher_layers)
    return (layer >= first - widened_by) & (layer < first + size + widened_by)


def layer_weights(student: Tensor, teacher: Tensor, allowed: Tensor, *, scaled: bool = False) -> Tensor:
    """alpha [m, B, n]: softmax over the allowed k of h_S^j . h_T^k, 0 for the others.

    ``scaled`` divides the products by sqrt(D), as attention does; the paper does not.
    Raises ValueError for shapes that do not fit, and for a student layer that may attend to nothing.
    """
    return _weights(*_checked(student, teacher, allowed), scaled=scaled).transpose(0, 1)


def alp(
    student: Tensor, teacher: Tensor, allowed: Tensor, *, scaled: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over features of (h_S^j - sum_k alpha_jk h_T^k)^2; scalar.

    Over the student layers and samples it is the ``mean``, or the ``sum`` as the paper writes it.
    Raises ValueError as ``layer_weights`` does, and for another reduction.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction {reduction!r}: allowed are 'mean' and 'sum'")
    student, teacher, barred = _checked(student, teacher, allowed)
    weights = _weights(student, teacher, barred, scaled=scaled)
    with without_autocast(student):
        target = torch.bmm(weights, teacher.transpose(0, 1))
    error = F.mse_loss(target, student.transpose(0, 1), reduction=reduction)
    return error if reduction == "mean" else error / student.shape[-1]


def _weights(student: Tensor, teacher: Tensor, barred: Tensor, *, scaled: bool) -> Tensor:
    """[B, m, n]."""
    with without_autocast(student):
        scores = torch.bmm(student.transpose(0, 1), teacher.permute(1, 2, 0))
    if scaled:
        scores = scores / math.sqrt(student.shape[-1])
    return torch.softmax(scores.masked_fill(barred, -torch.inf), dim=-1)


def _checked(student: Tensor, teacher: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Student and teacher in one dtype of float32 at least, the teacher without its graph; what is not allowed."""
    if student.dim() != 3 or teacher.dim() != 3 or student.shape[1:] != teacher.shape[1:]:
        raise ValueError(
            f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)}: wanted are [m, B, D] and [n, B, D] "
            "of the same B and D"
        )
    if allowed.shape != (len(student), len(teacher)):
        raise ValueError(f"allowed {tuple(allowed.shape)}: wanted is {(len(student), len(teacher))}")
    allowed = allowed.bool()
    if not bool(allowed.any(dim=-1).all()):
        raise ValueError("allowed: a student layer may attend to no teacher layer at all")
    student, teacher = widened(student, teacher.detach())
    return student, teacher, (~allowed).to(student.device, non_blocking=True)
