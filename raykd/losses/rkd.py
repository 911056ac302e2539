"""Relations between the samples of a batch: distances, angles and rankings of one vector a sample.

Park et al. 2019, "Relational Knowledge Distillation", and Chen et al. 2018, "DarkRank". Shapes: student [B, D_s],
teacher [B, D_t], e.g. [CLS] states or flattened features; the widths may differ, as only relations are compared. The
teacher is a constant. A batch of one sample has no relations: the loss is 0.

All come from inner products of centred vectors, never from [B, B, D] differences. Two vectors that differ by no more
than rounding count as equal: their distance is the published floor 1e-6, their angles are 0, and so are the gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .angles import angle_sum
from .distances import sample_distance_matrix, sample_distances
from .precision import widened
from .relations import FLOOR, pair_distance_sum


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over all B^2 pairs of smooth-L1 (threshold 1) of the difference of distances; scalar.

    Euclidean distances, divided by their mean over i != j on either side, with gradient through the student's mean.
    i = j counts in the B^2 and adds 0.
    """
    ours, theirs = _distances(student, teacher)
    every = torch.ones_like(ours, dtype=torch.bool)
    total = pair_distance_sum(ours, theirs, every, normalise=True, squared=False, penalty="smooth_l1")
    return total / len(student) ** 2


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over all B^3 triples of smooth-L1 (threshold 1) of the difference of cosines; scalar.

    The cosine is that of the angle at sample i between samples j and k; 0 where j or k equals i.
    """
    total = angle_sum(*_distances(student, teacher), len(student), penalty="smooth_l1")
    return total / len(student) ** 3


def dark_rank(
    student: Tensor, teacher: Tensor, *, alpha: float = 2.0, beta: float = 3.0, permute_len: int = 4
) -> Tensor:
    """Hard DarkRank: -ln of the probability that the student ranks the teacher's nearest samples as it does; scalar.

    Scores are -alpha d^beta of distances d that are not normalised. For each anchor the ``permute_len`` samples (B - 1
    if that is fewer) nearest in the teacher, in their order, are given a probability by the student's scores
    (Plackett-Luce); mean over the anchors. Samples equally near in the teacher keep the order of the batch.
    """
    student, teacher = widened(student, teacher.detach())
    itself = torch.eye(len(student), dtype=torch.bool, device=student.device)
    with torch.no_grad():
        distances = sample_distance_matrix(teacher).clamp_min(FLOOR).masked_fill(itself, torch.inf)
        nearest = distances.argsort(dim=-1, stable=True)[:, : min(permute_len, len(teacher) - 1)]

    squared = sample_distance_matrix(student).clamp_min(FLOOR).gather(-1, nearest)
    scores = -alpha * squared.pow(beta / 2)
    # Row r: the samples that are left when the r nearest have been drawn.
    drawn = torch.ones_like(scores[0].expand(scores.shape[-1], -1), dtype=torch.bool).tril(-1)
    left = scores.unsqueeze(-2).masked_fill(drawn, -torch.inf)
    return (left.logsumexp(dim=-1) - scores).sum(dim=-1).mean()


def _distances(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """[1, P] of either: one set of points."""
    with torch.no_grad():
        theirs = sample_distances(teacher)
    ours, theirs = widened(sample_distances(student), theirs)
    return ours.unsqueeze(0), theirs.unsqueeze(0)
