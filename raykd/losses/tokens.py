"""Relations within a sequence from two layers of it: FSP and NST (MMD), as TextBrewer codes them (Yang et al. 2020).

Student and teacher are given as two hidden states each, (a, b), both [B, L, D]; a and b may be the same tensor.
attention_mask [B, L] is 1 on the n_b real tokens of a sample: padding is then not read (NaN may stand there) and the
result does not depend on how much of it there is. Without a mask every position counts, n_b = L. The teacher is a
constant. No real token at all gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import widened, without_autocast

States = tuple[Tensor, Tensor]


def fsp(student: States, teacher: States, attention_mask: Tensor | None = None) -> Tensor:
    """Mean over B D D of (G_s - G_t)^2, G = a^T b / n_b of each sample; Yim et al. 2017; scalar.

    G is [D_a, D_b], so student and teacher have equal widths (project before), else ValueError.
    """
    (a, b), (teacher_a, teacher_b) = _widened(student, teacher)
    if a.shape != teacher_a.shape or b.shape != teacher_b.shape:
        given = [tuple(states.shape) for states in (*student, *teacher)]
        raise ValueError(f"student {given[0]}, {given[1]}, teacher {given[2]}, {given[3]}: their shapes must be equal")
    real = _real(a, attention_mask)
    number = real.sum(dim=-1).clamp_min(1).reshape(-1, 1, 1)
    difference = _products(_transposed(a, real), _transposed(b, real)) - _products(
        _transposed(teacher_a, real), _transposed(teacher_b, real)
    )
    return (difference / number).square().mean()


def mmd(student: States, teacher: States, attention_mask: Tensor | None = None) -> Tensor:
    """Mean over pairs of real tokens of (G_s - G_t)^2, G = a b^T / D; Huang and Wang 2017 (NST); scalar.

    G is [L, L], and D each side's own width, so the widths may differ. Divided by sum_b n_b^2.
    """
    (a, b), (teacher_a, teacher_b) = _widened(student, teacher)
    real = _real(a, attention_mask)
    a, b, teacher_a, teacher_b = (
        torch.where(real.unsqueeze(-1), states, 0.0) for states in (a, b, teacher_a, teacher_b)
    )
    difference = _products(a, b) / a.shape[-1] - _products(teacher_a, teacher_b) / teacher_a.shape[-1]
    # Padding is 0 on both sides, and so is every pair with it.
    return difference.square().sum() / real.sum(dim=-1).square().sum().clamp_min(1)


def _widened(student: States, teacher: States) -> tuple[States, States]:
    a, b, teacher_a, teacher_b = widened(*student, teacher[0].detach(), teacher[1].detach())
    return (a, b), (teacher_a, teacher_b)


def _real(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    if attention_mask is None:
        return torch.ones(states.shape[:-1], dtype=torch.bool, device=states.device)
    return attention_mask.bool()


def _transposed(states: Tensor, real: Tensor) -> Tensor:
    """[B, D, L], padding 0."""
    return torch.where(real.unsqueeze(-1), states, 0.0).transpose(-1, -2)


def _products(a: Tensor, b: Tensor) -> Tensor:
    """a b^T of [B, N, M] and [B, P, M]: [B, N, P]."""
    with without_autocast(a):
        return a @ b.transpose(-1, -2)
