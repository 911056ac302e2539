"""Triple relations, summed: the angle at one point between two others, for words and for layers alike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .geometry import centred, gram, inverse_distances
from .precision import widened
from .relations import Penalty, penalise

# Angles are computed for so many (vertex, corner, corner) at a time: 64 MiB a tensor in float32.
_TRIPLES_AT_ONCE = 2**24


def angle_sum(
    student: Tensor, teacher: Tensor, counted: Tensor, corners: Tensor, *, reach: int | None, penalty: Penalty
) -> Tensor:
    """Sum over i, j, k of c_ij c_ik penalty(a_ijk of the student - a_ijk of the teacher), a scalar.

    a_ijk is the cosine of the angle at vertex i between corners j and k: 0 where j or k is i (or coincides with it),
    1 where j = k. Points are student [..., N, D_s] and teacher [..., N, D_t]; the teacher is a constant.

    ``corners`` [..., N, N] holds c_ij, how often j is a corner of vertex i, and is 0 where |i - j| > ``reach``; leading
    dimensions it lacks are shared. ``counted`` [..., N] marks the points that angles use at all.
    """
    student, teacher = widened(student, teacher.detach())
    number = student.shape[-2]
    positions, exists = _windows(number, reach, student.device)
    weights = corners.to(student.dtype).gather(-1, positions.expand(*corners.shape[:-1], -1)) * exists

    products = gram(centred(student, counted))
    inverse = inverse_distances(products)
    with torch.no_grad():
        teacher_products = gram(centred(teacher, counted))
        teacher_inverse = inverse_distances(teacher_products)

    one_vertex = products[..., 0, 0].numel() * positions.shape[-1] ** 2
    chunk = max(1, _TRIPLES_AT_ONCE // max(1, one_vertex))
    total = products.new_zeros(())
    for some in torch.arange(number, device=student.device).split(chunk):
        of = (some, positions[some], weights[..., some, :], penalty)
        arguments = (products, inverse, teacher_products, teacher_inverse, *of)
        # Several chunks: their intermediates are computed again in the backward pass, or all would be held at once.
        whole = chunk >= number
        total = total + (
            _of_vertices(*arguments) if whole else checkpoint(_of_vertices, *arguments, use_reentrant=False)
        )
    return total


def _windows(number: int, reach: int | None, device: torch.device) -> tuple[Tensor, Tensor]:
    """The W positions [N, W] about each vertex, and which exist [N, W]; all N where a window would be no smaller."""
    every = torch.arange(number, device=device)
    if reach is None or 2 * reach + 1 >= number:
        return every.expand(number, number), torch.ones_like(every, dtype=torch.bool)
    positions = every.unsqueeze(1) + torch.arange(-reach, reach + 1, device=device)
    return positions.clamp(0, number - 1), (positions >= 0) & (positions < number)


def _of_vertices(
    products: Tensor,
    inverse: Tensor,
    teacher_products: Tensor,
    teacher_inverse: Tensor,
    vertices: Tensor,
    positions: Tensor,
    weights: Tensor,
    penalty: Penalty,
) -> Tensor:
    """The sum over ``vertices`` [n], whose corners lie at ``positions`` [n, W] and weigh ``weights`` [..., n, W]."""
    student = _cosines(products, inverse, vertices, positions)
    with torch.no_grad():
        teacher = _cosines(teacher_products, teacher_inverse, vertices, positions)
        # j = k is 1 exactly, or 0 where the corner coincides with the vertex; rounding must not blur that.
        same = _rows(inverse, vertices, positions).sign() - _rows(teacher_inverse, vertices, positions).sign()
        both = weights.unsqueeze(-1) * weights.unsqueeze(-2)
        both = both.masked_fill(torch.eye(both.shape[-1], dtype=torch.bool, device=both.device), 0.0)

    different_corners = penalise(student - teacher, penalty).sum_to_size(both.shape)
    same_corner = penalise(same, penalty).sum_to_size(weights.shape)
    return (both * different_corners).sum() + (weights.square() * same_corner).sum()


def _cosines(products: Tensor, inverse: Tensor, vertices: Tensor, positions: Tensor) -> Tensor:
    """(G_jk - G_ij - G_ik + G_ii) / (d_ij d_ik), [..., n, W, W]; G and ``inverse`` = 1 / d are [..., N, N]."""
    own = products.diagonal(dim1=-2, dim2=-1)[..., vertices].unsqueeze(-1)
    arm = _rows(products, vertices, positions) - own / 2
    unit = _rows(inverse, vertices, positions)
    between = _between(products, positions)
    return (between - arm.unsqueeze(-1) - arm.unsqueeze(-2)) * unit.unsqueeze(-1) * unit.unsqueeze(-2)


def _rows(matrix: Tensor, vertices: Tensor, positions: Tensor) -> Tensor:
    """matrix[..., i, j] for the vertices i [n] and the corners j [n, W] of each: [..., n, W]."""
    rows = matrix[..., vertices, :]
    return rows.gather(-1, positions.expand(*rows.shape[:-1], -1))


def _between(products: Tensor, positions: Tensor) -> Tensor:
    """G_jk for the corners j, k at ``positions`` [n, W]: [..., n, W, W], or [..., 1, N, N] where all are corners."""
    number = products.shape[-1]
    if positions.shape[-1] == number:
        return products.unsqueeze(-3)
    flat = positions.unsqueeze(-1) * number + positions.unsqueeze(-2)
    return products.flatten(-2).index_select(-1, flat.flatten()).unflatten(-1, flat.shape)
