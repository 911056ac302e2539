"""Triple relations, summed: the angle at one point between two others, for words, layers and samples alike.

Student and teacher are squared distances (raykd.losses.distances) in M sets of points; the teacher is a constant. Both
functions return the sum over i, j, k of c_ij c_ik penalty(a_ijk of the student - a_ijk of the teacher), a scalar. a_ijk
is the cosine of the angle at vertex i between corners j and k: 0 where j or k is i (or coincides with it, or does not
count), 1 where j = k. c_ij is how often j is a corner of i; once, where ``times`` is None.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .corners import Corners, corner_sum
from .distances import layer_pairs
from .penalties import Penalty
from .pieces import summed


def angle_sum(
    student: Tensor, teacher: Tensor, number: int, *, penalty: Penalty, times: Tensor | None = None
) -> Tensor:
    """Every one of ``number`` N points a corner of every vertex.

    Distances are [M, P], of the P = N (N - 1) / 2 pairs in the order of layer_pairs; ``times`` [M, N, N] holds c_ij.
    """
    first, second = layer_pairs(number, student.device)

    def evaluate(some: slice, wanted: bool) -> tuple[Tensor, Tensor | None]:
        ours, theirs = (_matrix(distances[some], number, first, second) for distances in (student, teacher))
        slopes = torch.zeros_like(ours)
        total, of_arms = corner_sum(
            Corners(ours, lambda a, b: ours[a:b, a + 1 :].unsqueeze(2)),
            Corners(theirs, lambda a, b: theirs[a:b, a + 1 :].unsqueeze(2)),
            None if times is None else times[some].permute(2, 1, 0),
            penalty,
            (lambda j, h: slopes[j, j + 1 :].sub_(h.sum(1), alpha=2)) if wanted else None,
        )
        # [corner, vertex]: each pair is an arm from both its ends.
        slopes += of_arms
        slopes += of_arms.transpose(0, 1)
        return total, slopes[first, second].t()

    return summed(student, number**2, evaluate)


def window_angle_sum(
    student: Tensor, teacher: Tensor, delta: int, *, penalty: Penalty, times: Tensor | None = None
) -> Tensor:
    """The corners of a vertex are the positions within ``delta``, less than N.

    Distances are half bands [M, N, R], D_i(i+o) at column o - 1, which reach 2 ``delta`` or all of N; ``times``
    [M, N, 2 delta + 1] holds c_ij of the corner j = i - delta + column.
    """
    length = student.shape[1]
    student, teacher = student[..., : 2 * delta], teacher[..., : 2 * delta]

    def evaluate(some: slice, wanted: bool) -> tuple[Tensor, Tensor | None]:
        ours, theirs = (_table(bands[some], delta) for bands in (student, teacher))
        slopes = torch.zeros_like(ours)
        total, of_arms = corner_sum(
            _windows(ours, delta),
            _windows(theirs, delta),
            None if times is None else times[some].flatten(0, 1).t(),
            penalty,
            (lambda j, h: slopes[: len(h), j : j + h.shape[1]].sub_(h, alpha=2)) if wanted else None,
        )
        vertices = of_arms.shape[1]
        for offset in range(1, delta + 1):
            slopes[offset - 1, delta : delta + vertices] += of_arms[delta + offset]
            slopes[offset - 1, delta - offset : delta - offset + vertices] += of_arms[delta - offset]
        back = slopes[: student.shape[-1], delta : delta + vertices]
        return total, back.unflatten(1, (-1, length)).permute(1, 2, 0)

    return summed(student, length * (2 * delta + 1), evaluate)


def _matrix(distances: Tensor, number: int, first: Tensor, second: Tensor) -> Tensor:
    """[N, N, n] of distances [n, P]; whichever of sets and points are more lie side by side in memory."""
    if len(distances) >= number:
        matrix = distances.new_zeros(number**2, len(distances))
        for flat in (first * number + second, second * number + first):
            matrix.index_copy_(0, flat, distances.t())
        return matrix.view(number, number, -1)
    matrix = distances.new_zeros(len(distances), number**2)
    for flat in (first * number + second, second * number + first):
        matrix.scatter_(1, flat.expand(len(distances), -1), distances)
    return matrix.view(-1, number, number).permute(1, 2, 0)


def _table(band: Tensor, delta: int) -> Tensor:
    """A half band [n, N, R] as [2 delta, delta + n N + delta]: D_i(i+o) in row o - 1, zeros before and behind.

    Sets follow one another. A distance from one into the next is 0 in the band, as it is beyond the end of a set: such
    a corner coincides with its vertex as far as arms tell, and has no angle.
    """
    vertices, reach = band.shape[0] * band.shape[1], band.shape[2]
    table = band.new_zeros(2 * delta, vertices + 2 * delta)
    table[:reach, delta : delta + vertices] = band.flatten(0, 1).t()
    return table


def _windows(table: Tensor, delta: int) -> Corners:
    width, vertices = 2 * delta + 1, table.shape[1] - 2 * delta
    arms = table.new_zeros(width, vertices)
    for offset in range(1, delta + 1):
        arms[delta + offset] = table[offset - 1, delta : delta + vertices]
        arms[delta - offset] = table[offset - 1, delta - offset : delta - offset + vertices]

    def between(a: int, b: int) -> Tensor:
        if b - a == 1:
            return table[: width - b, a : a + vertices].unsqueeze(0)
        found = table.new_zeros(b - a, width - a - 1, vertices)
        for j in range(a, b):
            found[j - a, j - a :] = table[: width - j - 1, j : j + vertices]
        return found

    return Corners(arms, between)
