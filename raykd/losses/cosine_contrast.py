"""The losses of LRC-BERT (Fu et al. 2021, eqs. 1-5): COS-NCE on hidden states, and a softened hard loss.

Shapes: student and teacher [M, B, L, D'] hold the M matched hidden states of B sentences, the student's already
projected to the teacher's width; attention_mask [B, L] is 1 on real tokens, which come first. The teacher is a
constant.

With the distance g(x, y) = 1 - cos(x, y), the loss of sentence b (the anchor) at one layer is

    g(t_b, z_b)  +  1 / 2(B - 1)  sum over j != b of (2 - (g(t_j, z_b) - g(t_b, z_b)))

for the student's output z and the teacher's t: the teacher outputs of the other sentences are the negatives. A batch of
one sentence has none: the second part is 0, and the first remains. A zero vector has cosine 0 with everything.

``view`` says how an output [L, D'] is a vector:

- ``flat`` (default): flattened, padding being 0;
- ``token``: g is the average of that of single positions, the real ones of both sentences;
- ``cls``: position 0;
- ``mean``: the mean of the real tokens.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .precision import widened, without_autocast
from .unit import SHORTEST, unit

View = Literal["flat", "token", "cls", "mean"]

# Numbers of one network's states that are worked on at once: within the cache of a CPU; elsewhere few kernels count.
_PIECE_CPU, _PIECE = 2**19, 2**26


def cos_nce(student: Tensor, teacher: Tensor, attention_mask: Tensor, view: View = "flat") -> Tensor:
    """The mean of ``cos_nce_terms`` over the B anchors, summed over the M layers; scalar."""
    return cos_nce_terms(student, teacher, attention_mask, view).mean(dim=1).sum()


def cos_nce_terms(student: Tensor, teacher: Tensor, attention_mask: Tensor, view: View = "flat") -> Tensor:
    """The loss of every layer and anchor, [M, B], 0 to 4 each. Needs memory for [M, B, B] beside the states."""
    if student.shape != teacher.shape or student.dim() != 4:
        raise ValueError(
            f"student states {tuple(student.shape)}, teacher's {tuple(teacher.shape)}: both are [M, B, L, D]"
        )
    student, teacher = widened(student, teacher.detach())
    cosines = _cosines(student, teacher, attention_mask.bool(), view)
    positive = cosines.diagonal(dim1=-2, dim2=-1)
    others = student.shape[1] - 1
    itself = torch.eye(others + 1, dtype=torch.bool, device=cosines.device)
    # 2 - (g_negative - g_positive) = 2 + cos_negative - cos_positive
    negatives = (2 + cosines - positive.unsqueeze(-1)).masked_fill(itself, 0.0).sum(dim=-1)
    return negatives / (2 * max(others, 1)) + 1 - positive


def softened_hard(logits: Tensor, labels: Tensor, tau: float) -> Tensor:
    """``mean_b -softmax(onehot(y) / tau) . ln softmax(s)`` for logits [B, C], labels [B]; scalar.

    Equation 5 as printed: the labels are softened, heavily (tau 1.1 and 3 classes: 0.55 on the true one), the student
    is not.
    """
    (logits,) = widened(logits)
    hard = F.one_hot(labels.long(), logits.shape[-1]).to(logits.dtype)
    return -(torch.softmax(hard / tau, dim=-1) * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def _cosines(student: Tensor, teacher: Tensor, real: Tensor, view: View) -> Tensor:
    """cos(z_b, t_j) of every anchor b and teacher output j, [M, B, B]."""
    if view == "flat":
        products, ours, theirs = _Products.apply(student, teacher, real, False)
        products = products * _inverse(ours).unsqueeze(-1) * _inverse(theirs).unsqueeze(-2)
    elif view == "token":
        # The sum of the cosines of the positions that both sentences have, over their number.
        counted = real.to(student.dtype)
        with without_autocast(student):
            common = (counted @ counted.T).clamp_min(1)
        products = _Products.apply(student, teacher, real, True)[0] / common
    else:
        with without_autocast(student):
            products = _vectors(student, real, view) @ _vectors(teacher, real, view).mT
    return products.clamp(-1, 1)  # rounding made the distance to an equal output negative


def _vectors(states: Tensor, real: Tensor, view: View) -> Tensor:
    """One unit vector for each output, [M, B, D]."""
    if view == "cls":
        return unit(torch.where(real[:, :1], states[:, :, 0], 0.0))
    if view == "mean":
        total: Tensor = _Sum.apply(states, real)
        return unit(total / real.sum(dim=-1, keepdim=True).clamp_min(1))
    raise ValueError(f"view {view!r}: allowed are 'flat', 'token', 'cls' and 'mean'")


def _inverse(squared_norms: Tensor) -> Tensor:
    """1 / |x|; 0, without a gradient, of what counts as the zero vector."""
    nonzero = squared_norms > SHORTEST**2
    return torch.where(nonzero, torch.where(nonzero, squared_norms, 1.0).rsqrt(), 0.0)


class _Products(torch.autograd.Function):
    """Inner products [M, B, B] of student and teacher outputs, and squared norms [M, B] of either.

    per_token: of the unit vectors of tokens, sums over positions; norms are then 0. States [M, B, L, D] are large, so
    they are gone over in pieces of a few positions, of which padding is taken out; nothing is kept but the input.
    """

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, real: Tensor, per_token: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers, batch = student.shape[:2]
        products = student.new_zeros(layers, batch, batch)
        ours, theirs = student.new_zeros(2, layers, batch)
        with without_autocast(student):
            for z, t, counted in zip(*_pieces(student, teacher, real), strict=True):
                z, t = _rows(z, counted, per_token)[0], _rows(t, counted, per_token)[0]
                products.baddbmm_(z.flatten(2), t.flatten(2).mT)
                if not per_token:
                    ours += torch.linalg.vector_norm(z, dim=(2, 3)).square()
                    theirs += torch.linalg.vector_norm(t, dim=(2, 3)).square()
        ctx.save_for_backward(student, teacher, real)
        ctx.per_token = per_token
        ctx.mark_non_differentiable(theirs)
        return products, ours, theirs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, of_norms: Tensor, _unused: Tensor) -> tuple[Tensor, None, None, None]:
        student, teacher, real = ctx.saved_tensors
        gradient = torch.empty_like(student, memory_format=torch.contiguous_format)
        pieces = _pieces(student, teacher, real, gradient)
        with without_autocast(student):
            for z, t, counted, into in zip(*pieces, strict=True):
                z, inverse = _rows(z, counted, ctx.per_token)
                t, _ = _rows(t, counted, ctx.per_token)
                piece = torch.bmm(slope, t.flatten(2)).view_as(z)
                if inverse is None:
                    piece += z.mul_(2 * of_norms[..., None, None])
                else:  # across the direction of the token alone
                    piece -= z.mul_((piece * z).sum(dim=-1, keepdim=True))
                    piece *= inverse
                into.copy_(piece.masked_fill_(~counted.unsqueeze(-1), 0.0))
        return gradient, None, None, None


class _Sum(torch.autograd.Function):
    """[M, B, D]: the sum of the real tokens of states [M, B, L, D], in pieces of a few positions."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, real: Tensor) -> Tensor:
        ctx.save_for_backward(real)
        total = states.new_zeros(*states.shape[:2], states.shape[-1])
        for piece, _, counted in zip(*_pieces(states, states, real), strict=True):
            total += torch.where(counted.unsqueeze(-1), piece, 0.0).sum(dim=2)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (real,) = ctx.saved_tensors
        return torch.where(real.unsqueeze(-1), slope.unsqueeze(2), 0.0), None


def _pieces(student: Tensor, teacher: Tensor, real: Tensor, *more: Tensor) -> list[tuple[Tensor, ...]]:
    """States [M, B, L, D] and the mask [B, L] cut along L, so that one piece has about as many numbers as wanted."""
    layers, batch, _, width = student.shape
    at_once = max(1, (_PIECE_CPU if student.device.type == "cpu" else _PIECE) // max(1, layers * batch * width))
    states = [tensor.split(at_once, dim=2) for tensor in (student, teacher, *more)]
    return [*states[:2], real.split(at_once, dim=1), *states[2:]]


def _rows(states: Tensor, real: Tensor, per_token: bool) -> tuple[Tensor, Tensor | None]:
    """A copy of states [M, B, l, D] with padding 0; per_token: of unit vectors, and 1 / |x| [M, B, l, 1] of each."""
    states = torch.where(real.unsqueeze(-1), states, 0.0)
    if not per_token:
        return states, None
    norms = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    inverse = torch.where(norms > SHORTEST, norms.reciprocal(), 0.0)
    return states.mul_(inverse), inverse
