"""Combinatorial KD: each student layer learns from several teacher layers side by side (Wu et al. 2020).

The method shares the name CKD with contextual KD (Park et al. 2021), and nothing else. Shapes: one vector of width D a
token (or sample); teacher [n, ..., D] holds the n layers of the teacher without its embedding output, layer 0 the
lowest. ``attention_mask`` [...] is 1 on real tokens, or None where every vector counts; padding has no influence.

Two forms, which differ in who is projected. The projections are learned, and are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from .precision import widened
from .unit import unit

LayerSets = tuple[tuple[int, ...], ...]
Reduction = Literal["mean", "sum"]

COMBINATIONS = ("regular", "overlap", "skip", "skip_comb", "cross", "skip_middle")

# These two are published for blocks of three only.
_OF_THREE = ("cross", "skip_middle")


def layer_sets(student_layers: int, teacher_layers: int, combination: str) -> LayerSets:
    """The teacher layers, from 0, of each of m student layers; with n / m = r consecutive blocks have r layers.

    - ``regular``: the j-th block;
    - ``overlap``: that block and one layer more on either side, where there is one;
    - ``skip``: its last layer (the layer choice of PKD; nothing is combined);
    - ``skip_comb``: every m-th layer from j on;
    - ``cross``: the block without its middle layer, r = 3;
    - ``skip_middle``: the block without its layer nearest to the middle of the teacher, r = 3.

    The paper's code knows all of them for n = 6, m = 2, and ``regular`` and ``skip`` beyond; the other rules give its
    sets there, e.g. {1, 2}, {5, 6} for ``skip_middle`` (layers from 1), and for other networks are this project's.

    Raises ValueError for an unknown combination, and for networks that it has no sets for.
    """
    possible = allowed_combinations(student_layers, teacher_layers)
    if combination not in COMBINATIONS:
        raise ValueError(f"combination {combination!r}: allowed are {', '.join(COMBINATIONS)}")
    if combination not in possible:
        wants = "three times as many teacher as student layers" if combination in _OF_THREE else "m to divide n"
        students = [m for m in range(1, teacher_layers + 1) if combination in allowed_combinations(m, teacher_layers)]
        raise ValueError(
            f"combination {combination!r} for m = {student_layers} student and n = {teacher_layers} teacher layers: it "
            f"wants {wants}; students it has for this teacher: {', '.join(map(str, students)) or 'none'}; "
            f"combinations for these networks: {', '.join(possible) or 'none'}"
        )
    return tuple(_set_of(j, student_layers, teacher_layers, combination) for j in range(student_layers))


def allowed_combinations(student_layers: int, teacher_layers: int) -> tuple[str, ...]:
    """The names that ``layer_sets`` takes for networks of so many layers."""
    if student_layers < 1 or teacher_layers < 1 or teacher_layers % student_layers:
        return ()
    return tuple(name for name in COMBINATIONS if name not in _OF_THREE or teacher_layers == 3 * student_layers)


def _set_of(j: int, m: int, n: int, combination: str) -> tuple[int, ...]:
    start, stop = j * (n // m), (j + 1) * (n // m)
    block = range(start, stop)
    middle = (n - 1) / 2
    sets = {
        "regular": block,
        "overlap": range(max(0, start - 1), min(n, stop + 1)),
        "skip": block[-1:],
        "skip_comb": range(j, n, m),
        "cross": (start, stop - 1),
        "skip_middle": sorted(block, key=lambda layer: abs(layer - middle))[1:],
    }
    return tuple(sorted(sets[combination]))


def concatenated(teacher: Tensor, layers: Sequence[int]) -> Tensor:
    """Those ``layers`` of the teacher [n, ..., D] side by side, [..., len(layers) * D], without its graph."""
    return torch.cat([teacher[layer].detach() for layer in layers], dim=-1)


def combination_loss(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    attention_mask: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """The published code's form: ||unit(s) - unit(t)||^2, 0 to 4 a vector; scalar.

    For each of the m student layers: its states projected up to the width of its set, [..., W_j], and the set
    ``concatenated``, of the same shape. ``sum`` over real tokens and layers (the code, whose trainer then divides by
    its token count), or their ``mean``. The teacher is a constant. Raises ValueError for shapes that do not fit.
    """
    return _reduced(student, [states.detach() for states in teacher], attention_mask, reduction, directions=True)


def projected_teacher_loss(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    attention_mask: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """The paper's form: mean over features of (s - t)^2; scalar.

    For each of the m student layers: its states [..., D], and its set ``concatenated`` and projected down to that
    shape. ``sum`` over real tokens and layers (the paper), or their ``mean``. The gradient flows to both sides, as the
    projection of the teacher is learned here; ``concatenated`` has cut off the teacher itself. Raises ValueError for
    shapes that do not fit.
    """
    return _reduced(student, teacher, attention_mask, reduction, directions=False)


def _reduced(
    student: Sequence[Tensor], teacher: Sequence[Tensor], mask: Tensor | None, reduction: Reduction, *, directions: bool
) -> Tensor:
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction {reduction!r}: allowed are 'mean' and 'sum'")
    shapes = [[tuple(states.shape) for states in side] for side in (student, teacher)]
    if shapes[0] != shapes[1] or not shapes[0]:
        raise ValueError(f"student layers {shapes[0]}, teacher sets {shapes[1]}: wanted are as many, of equal shapes")
    tokens = shapes[0][0][:-1]
    if any(shape[:-1] != tokens for shape in shapes[0]) or (mask is not None and tuple(mask.shape) != tokens):
        given = None if mask is None else tuple(mask.shape)
        raise ValueError(f"student layers {shapes[0]}, attention_mask {given}: wanted is one vector a token in each")

    device = student[0].device
    real = torch.ones(tokens, dtype=torch.bool, device=device) if mask is None else mask.bool()
    total = torch.stack(
        [_error(s, t, real, directions=directions) for s, t in zip(student, teacher, strict=True)]
    ).sum()
    return total if reduction == "sum" else total / (len(shapes[0]) * real.sum().clamp_min(1))


def _error(student: Tensor, teacher: Tensor, real: Tensor, *, directions: bool) -> Tensor:
    """Summed over the real vectors: the squared difference, of the directions or a mean over the features."""
    # Padding is zeroed before any arithmetic: a zero times NaN would be NaN in the gradient.
    student, teacher = (torch.where(real.unsqueeze(-1), states, 0.0) for states in widened(student, teacher))
    if directions:
        return (unit(student) - unit(teacher)).square().sum()
    return (student - teacher).square().mean(dim=-1).sum()
