"""Centred kernel alignment of features: the intra and local losses of FSD (Jung et al.).

CKA(X, Y) = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y)) with linear kernels and the biased HSIC (Kornblith et al. 2019), of
n rows of any two widths; it is 1 where rows are alike up to rotation, scale and translation. Every loss here is
-ln(mean |CKA| + 1e-8): the log of a mean, as published. CKA is the inner product of two centred Gram matrices of norm
1, so of the teacher a Gram matrix is all that the intra loss asks for.

``attention_mask`` [B, L]: 1 on tokens. None is what the published code does: padding takes part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import centred
from .grams import centred_gram, of_norm_one
from .precision import widened, without_autocast

_INSIDE_LOG = 1e-8  # as published
# Rows that differ by less than so many machine epsilons of their largest number (or by less than _TINY) are equal.
_NOISE = 32
_TINY = 1e-12


def hsic(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Sum of the elementwise product of the centred Gram matrices of x [..., n, p] and y [..., n, q]; [...].

    Not divided by anything. ``mask`` [..., n]: the rows to use.
    """
    x, y = widened(x, y)
    if _grams_are_cheaper(x, y):
        return (centred_gram(x, mask) * centred_gram(y, mask)).sum(dim=(-1, -2))
    counted = _counted(x, mask)
    return _between(centred(x, counted), centred(y, counted))


def cka(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """CKA [...] of x [..., n, p] and y [..., n, q], from 0 to 1; ``mask`` [..., n] marks the rows to use.

    0 (instead of 0 / 0) where the rows of either are all equal, hence also with fewer than two rows; no gradient there.
    Two rows always give 1. Differentiable in both arguments.
    """
    x, y = widened(x, y)
    if _grams_are_cheaper(x, y):
        return alignment(word_gram(x, mask), word_gram(y, mask))
    counted = _counted(x, mask)
    x, y = _standard(x, counted), _standard(y, counted)
    own_x, own_y = _between(x, x), _between(y, y)
    defined = (own_x > 0) & (own_y > 0)
    # Two roots: their product inside one would overflow sooner.
    scale = torch.where(defined, own_x, 1.0).sqrt() * torch.where(defined, own_y, 1.0).sqrt()
    return torch.where(defined, _between(x, y) / scale, 0.0)


def word_gram(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Inner products [..., L, L] of each text's states [..., L, D] about their mean, the matrix of Frobenius norm 1.

    0 for padding, and everywhere for a text whose tokens are all equal or fewer than two.
    """
    return of_norm_one(centred_gram(states, attention_mask))


def alignment(gram: Tensor, other: Tensor) -> Tensor:
    """CKA [...] of two centred Gram matrices [..., n, n] of norm 1."""
    gram, other = widened(gram, other)
    return (gram * other).sum(dim=(-1, -2))


def fsd_intra(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    """FSD_I: -ln of the mean over samples of the CKA between their token vectors; [..., B, L, D_s], [..., B, L, D_t].

    With a leading dimension of K layer pairs ([K, B, L, D]) it is the mean of the K losses. Samples of one token say
    nothing and are left out of the mean; where no sample is left the loss is 0.
    """
    return fsd_intra_of(student, word_gram(teacher.detach(), attention_mask), attention_mask)


def fsd_intra_of(student: Tensor, teacher_gram: Tensor, attention_mask: Tensor | None) -> Tensor:
    """``fsd_intra`` of student states [..., B, L, D_s] and the teacher's ``word_gram`` [..., B, L, L]."""
    similarity = alignment(word_gram(student, attention_mask), teacher_gram.detach())
    if attention_mask is None:
        return minus_log(similarity, rows=student.shape[-2])
    return minus_log(similarity, rows=attention_mask.bool().sum(dim=-1))


def fsd_local(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    """FSD_L: -ln of the CKA between flattened samples; [..., B, L, D_s] and [..., B, L, D_t], one row a sample.

    With a mask, padded positions are zero in the rows. With a leading dimension of K layer pairs it is the mean of the
    K losses. A batch of two is alike in any case (CKA 1, no gradient), and a batch of one gives 0.
    """

    def relation(states: Tensor) -> Tensor:
        if attention_mask is not None:
            states = torch.where(attention_mask.bool().unsqueeze(-1), states, 0.0)
        return of_norm_one(centred_gram(states.flatten(-2), None))

    similarity = alignment(relation(student), relation(teacher.detach()))
    return minus_log(similarity.unsqueeze(-1), rows=student.shape[-3])


def minus_log(similarity: Tensor, rows: Tensor | int) -> Tensor:
    """-ln(mean of |CKA| [..., B] over the last dimension + 1e-8), then the mean over the rest; scalar.

    ``rows`` [B], or one number for all: CKAs of fewer than two rows are left out. 0 where none is left.
    """
    if isinstance(rows, int):  # filled on the device: nothing is copied there
        rows = torch.full_like(similarity, rows)
    usable = (rows >= 2).expand_as(similarity)
    number = usable.sum(dim=-1)
    mean = torch.where(usable, similarity.abs(), 0.0).sum(dim=-1) / number.clamp_min(1)
    # Rounding can lift CKA above 1, and the loss below 0.
    loss = -(mean.clamp_max(1.0) + _INSIDE_LOG).log()
    return torch.where(number > 0, loss, 0.0).mean()


def _counted(rows: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones(rows.shape[:-1], dtype=torch.bool, device=rows.device) if mask is None else mask.bool()


def _standard(points: Tensor, counted: Tensor) -> Tensor:
    """Points [..., n, p] about their mean and divided by their largest number; 0 where all are equal.

    CKA does not change under scale, so the scale is a constant to autograd; it keeps fourth powers within float32.
    """
    # Twice: the rounding error of the first mean would make equal rows differ from 0, and shift those far from it.
    points = torch.where(counted.unsqueeze(-1), points, 0.0)
    rows = centred(centred(points, counted), counted)
    with torch.no_grad():
        spread, size = (tensor.abs().amax(dim=(-1, -2), keepdim=True) for tensor in (rows, points))
        differ = spread > (_NOISE * torch.finfo(points.dtype).eps * size).clamp_min(_TINY)
    return torch.where(differ, rows / torch.where(differ, spread, 1.0), 0.0)


def _grams_are_cheaper(x: Tensor, y: Tensor) -> bool:
    """Than matrices as wide as the features, for CKA of x [..., n, p] and y [..., n, q]."""
    rows, p, q = x.shape[-2], x.shape[-1], y.shape[-1]
    return rows * (p + q) <= p * p + p * q + q * q


def _between(x: Tensor, y: Tensor) -> Tensor:
    """<XX', YY'> = |X'Y|^2 of centred X [..., n, p] and Y [..., n, q]."""
    with without_autocast(x):
        return (x.mT @ y).square().sum(dim=(-1, -2))
