"""The losses of TKD on hidden states: at the nodes of a tree, at [CLS], or at all tokens (Xu, Ji, Xie: Tree Knowledge
Distillation, eqs. 6-10).

Shapes: student and teacher [K, B, L, D] hold hidden states 1 to K of the student and the teacher layers matched with
them, of equal width (project one of them first where widths differ). The teacher is a constant.

Each loss adds || u / |u| - v / |v| ||^2 over pairs of vectors u of the student and v of the teacher. ``reduction`` says
what becomes of that total: ``sum`` (as printed), or ``elementmean``, divided by the number of elements of all u, the
scale of PKD's loss. Zero vectors stay zero and have no gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .precision import widened
from .unit import unit

Reduction = Literal["sum", "elementmean"]


def tree_distillation(
    student: Tensor, teacher: Tensor, nodes: Tensor, *, reduction: Reduction = "elementmean"
) -> Tensor:
    """The loss at the nodes of a tree; scalar. u is the slice of a token's state that belongs to one head.

    ``nodes`` [K, B, H, L] says how often (bool: whether) a token is a node of that head's tree, see ``tree``. Head h of
    H has columns [h D / H, (h + 1) D / H). A batch without any node gives 0.
    """
    student, teacher = _matched(student, teacher)
    heads = nodes.shape[2]
    if nodes.shape != (*student.shape[:2], heads, student.shape[2]) or student.shape[3] % max(heads, 1):
        raise ValueError(f"nodes {tuple(nodes.shape)}: they are [K, B, H, L] for states {tuple(student.shape)}, H | D")
    times = nodes.transpose(-1, -2)  # [K, B, L, H]
    chosen = (times > 0).unsqueeze(-1)
    student, teacher = (torch.where(chosen, states.unflatten(-1, (heads, -1)), 0.0) for states in (student, teacher))
    squares = _unit_squares(student, teacher)
    elements = times.sum().clamp_min(1) * squares.shape[-1]
    return _reduce((squares.sum(dim=-1) * times).sum(), elements, reduction)


def patience(student: Tensor, teacher: Tensor, *, reduction: Reduction = "elementmean") -> Tensor:
    """The loss at [CLS], position 0, of all K layers, the last one included; scalar."""
    student, teacher = _matched(student, teacher)
    squares = _unit_squares(student[:, :, 0], teacher[:, :, 0])
    return _reduce(squares.sum(), squares.numel(), reduction)


def all_tokens(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, reduction: Reduction = "elementmean"
) -> Tensor:
    """The loss at every real token of ``attention_mask`` [B, L], u being its whole state (ALL-TKD); scalar."""
    student, teacher, elements = _real(student, teacher, attention_mask)
    return _reduce(_unit_squares(student, teacher).sum(), elements, reduction)


def all_tokens_frobenius(
    student: Tensor, teacher: Tensor, attention_mask: Tensor, *, reduction: Reduction = "elementmean"
) -> Tensor:
    """As ``all_tokens``, but u is the matrix of all real tokens of a sample, divided by its Frobenius norm; scalar."""
    student, teacher, elements = _real(student, teacher, attention_mask)
    return _reduce(_unit_squares(student, teacher, dim=(-1, -2)).sum(), elements, reduction)


def _matched(student: Tensor, teacher: Tensor) -> tuple[Tensor, ...]:
    if student.shape != teacher.shape or student.dim() != 4:
        raise ValueError(
            f"student states {tuple(student.shape)}, teacher's {tuple(teacher.shape)}: both are [K, B, L, D]"
        )
    return widened(student, teacher.detach())


def _real(student: Tensor, teacher: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both states with padding zeroed, and how many elements are not padding."""
    student, teacher = _matched(student, teacher)
    real = attention_mask.bool().unsqueeze(-1)
    elements = real.sum().clamp_min(1) * student.shape[0] * student.shape[-1]
    return torch.where(real, student, 0.0), torch.where(real, teacher, 0.0), elements


def _unit_squares(student: Tensor, teacher: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """The squared elements of u / |u| - v / |v|, not summed."""
    return (unit(student, dim=dim) - unit(teacher, dim=dim)).square()


def _reduce(total: Tensor, elements: Tensor | int, reduction: Reduction) -> Tensor:
    if reduction == "sum":
        return total
    if reduction == "elementmean":
        return total / elements
    raise ValueError(f"reduction {reduction!r}: allowed are 'sum' and 'elementmean'")
