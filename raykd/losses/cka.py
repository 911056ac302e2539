"""Centred kernel alignment of features: the intra and local losses of FSD (Jung et al.).

CKA(X, Y) = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y)) with linear kernels and the biased HSIC (Kornblith et al. 2019), of
n rows of any two widths; it is 1 where rows are alike up to rotation, scale and translation. Every loss here is
-ln(mean |CKA| + 1e-8): the log of a mean, as published.

``attention_mask`` [B, L]: 1 on tokens. None is what the published code does: padding takes part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import centred, gram
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
    counted = _counted(x, mask)
    return _products(centred(x, counted), centred(y, counted))[0]


def cka(x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """CKA [...] of x [..., n, p] and y [..., n, q], from 0 to 1; ``mask`` [..., n] marks the rows to use.

    0 (instead of 0 / 0) where the rows of either are all equal, hence also with fewer than two rows; no gradient there.
    Two rows always give 1. Differentiable in both arguments.
    """
    x, y = widened(x, y)
    counted = _counted(x, mask)
    both, own_x, own_y = _products(_standard(x, counted), _standard(y, counted))
    defined = (own_x > 0) & (own_y > 0)
    # Two roots: their product inside one would overflow sooner.
    scale = torch.where(defined, own_x, 1.0).sqrt() * torch.where(defined, own_y, 1.0).sqrt()
    return torch.where(defined, both / scale, 0.0)


def fsd_intra(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    """FSD_I: -ln of the mean over samples of the CKA between their token vectors; [..., B, L, D_s], [..., B, L, D_t].

    With a leading dimension of K layer pairs ([K, B, L, D]) it is the mean of the K losses. Samples of one token say
    nothing and are left out of the mean; where no sample is left the loss is 0.
    """
    similarity = cka(student, teacher.detach(), attention_mask)
    if attention_mask is None:
        return minus_log(similarity, rows=student.shape[-2])
    return minus_log(similarity, rows=attention_mask.bool().sum(dim=-1))


def fsd_local(student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
    """FSD_L: -ln of the CKA between flattened samples; [..., B, L, D_s] and [..., B, L, D_t], one row a sample.

    With a mask, padded positions are zero in the rows. With a leading dimension of K layer pairs it is the mean of the
    K losses. A batch of two is alike in any case (CKA 1, no gradient), and a batch of one gives 0.
    """
    if attention_mask is not None:
        real = attention_mask.bool().unsqueeze(-1)
        student, teacher = torch.where(real, student, 0.0), torch.where(real, teacher, 0.0)
    similarity = cka(student.flatten(-2), teacher.detach().flatten(-2))
    return minus_log(similarity.unsqueeze(-1), rows=student.shape[-3])


def minus_log(similarity: Tensor, rows: Tensor | int) -> Tensor:
    """-ln(mean of |CKA| [..., B] over the last dimension + 1e-8), then the mean over the rest; scalar.

    ``rows`` [B], or one number for all: CKAs of fewer than two rows are left out. 0 where none is left.
    """
    usable = torch.as_tensor(rows, device=similarity.device).expand_as(similarity) >= 2
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


def _products(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """<XX', YY'>, <XX', XX'> and <YY', YY'> of centred X [..., n, p] and Y [..., n, q], the cheaper way."""
    rows, p, q = x.shape[-2], x.shape[-1], y.shape[-1]
    if rows * (p + q) <= p * p + p * q + q * q:
        of_x, of_y = gram(x), gram(y)
        factors = (of_x * of_y, of_x.square(), of_y.square())
    else:  # <XX', YY'> = |X'Y|^2, with matrices as wide as the features
        with without_autocast(x):
            factors = ((x.mT @ y).square(), (x.mT @ x).square(), (y.mT @ y).square())
    both, own_x, own_y = (matrix.sum(dim=(-1, -2)) for matrix in factors)
    return both, own_x, own_y
