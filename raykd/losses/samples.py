"""Similarities between the samples of a batch: CC, SP, PKT and the forms torchdistill gives CC and SP.

Shapes: student [B, D_s], teacher [B, D_t], one vector a sample. The widths may differ except in `cc`, as only [B, B]
similarities are compared. The teacher is a constant. All are finite for zero vectors, and for a batch of one sample,
where `cc`, `sp` and `pkt` are 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .geometry import gram
from .precision import widened
from .unit import Norm, unit

# Published code adds this to norms and to probabilities.
_PKT_EPSILON = 1e-7


def cc(student: Tensor, teacher: Tensor) -> Tensor:
    """Correlation congruence as RepDistiller codes it: mean over b < B - 1 of sum_d delta_bd delta_(b+1)d; scalar.

    delta = |s - t|, so the widths must be equal (ValueError); embed both in one width before. Peng et al. 2019 is the
    source of the name, but compares kernel matrices: `cckd_gaussian`.
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}: their shapes must be equal")
    student, teacher = widened(student, teacher.detach())
    delta = (student - teacher).abs()
    return (delta[:-1] * delta[1:]).sum() / max(len(delta) - 1, 1)


def sp(student: Tensor, teacher: Tensor, *, norm: Norm = "l2") -> Tensor:
    """Similarity preserving (Tung and Mori 2019): mean over B^2 of the squared difference of F F^T; scalar.

    Each row of F F^T is divided by its norm: ``l2`` in the paper, ``l1`` in torchdistill; another raises ValueError.
    """
    student, teacher = widened(student, teacher.detach())
    return (unit(gram(student), norm) - unit(gram(teacher), norm)).square().mean()


def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """Probabilistic knowledge transfer (Passalis and Tefas 2018): mean over B^2 of p_t ln(p_t / p_s); scalar.

    p_ij = (1 + cos_ij) / 2, divided by its sum over j (i = j included). 1e-7 is added to norms and, inside the
    logarithm, to p.
    """
    student, teacher = widened(student, teacher.detach())
    ours, theirs = _neighbours(student) + _PKT_EPSILON, _neighbours(teacher) + _PKT_EPSILON
    # Either side's rows have one sum, so p_s - p_t adds nothing to the loss; but with it every element is of the second
    # order in how p_t and p_s differ, where the first order would leave the sum as small as its rounding errors.
    part = (theirs - ours) / ours
    log_ratio = torch.log1p(part)
    return (ours * ((1 + part) * log_ratio - part) - _PKT_EPSILON * log_ratio).mean()


def cckd_gaussian(student: Tensor, teacher: Tensor, *, gamma: float = 0.4, max_p: int = 2) -> Tensor:
    """Correlation congruence (Peng et al. 2019) as torchdistill codes it: ||K_s - K_t|| / B^2, Frobenius; scalar.

    K_ij = exp(-2 gamma) sum_{p=0..max_p} (2 gamma)^p / p! (x_i.x_j)^p: the Gaussian kernel of unit vectors, expanded.
    The vectors are not normalised here, and the norm is not squared, as coded.
    """
    student, teacher = widened(student, teacher.detach())
    return _distance(_gaussian(student, gamma, max_p), _gaussian(teacher, gamma, max_p))


def cckd_bilinear(student: Tensor, teacher: Tensor) -> Tensor:
    """`cckd_gaussian` with the kernel K = X X^T; scalar."""
    student, teacher = widened(student, teacher.detach())
    return _distance(gram(student), gram(teacher))


def _neighbours(points: Tensor) -> Tensor:
    similarity = (gram(unit(points, added=_PKT_EPSILON)) + 1) / 2
    return similarity / similarity.sum(dim=-1, keepdim=True)


def _gaussian(points: Tensor, gamma: float, max_p: int) -> Tensor:
    products = gram(points)
    kernel = torch.zeros_like(products)
    for p in range(max_p, -1, -1):  # Horner's rule
        kernel = kernel * products + (2 * gamma) ** p / math.factorial(p)
    return math.exp(-2 * gamma) * kernel


def _distance(kernel: Tensor, teacher_kernel: Tensor) -> Tensor:
    difference = kernel - teacher_kernel
    # Powers of inner products are large: their squares would overflow float32 long before they do.
    largest = difference.detach().abs().amax()
    differ = largest > 0
    squared = (difference / torch.where(differ, largest, 1.0)).square().sum()
    # sqrt has no gradient at 0, where the student is the teacher.
    return torch.where(differ, largest * torch.where(differ, squared, 1.0).sqrt(), 0.0) / kernel.numel()
