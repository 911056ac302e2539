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
from .geometry import centred, squared_distances
from .precision import widened
from .relations import pair_distance_sum


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over all B^2 pairs of smooth-L1 (threshold 1) of the difference of distances; scalar.

    Euclidean distances, divided by their mean over i != j on either side, with gradient through the student's mean.
    i = j counts in the B^2 and adds 0.
    """
    pairs = _everyone(student).expand(len(student), -1)
    total = pair_distance_sum(
        student, teacher, _everyone(student), pairs, normalise=True, squared=False, penalty="smooth_l1"
    )
    return total / len(student) ** 2


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over all B^3 triples of smooth-L1 (threshold 1) of the difference of cosines; scalar.

    The cosine is that of the angle at sample i between samples j and k; 0 where j or k equals i. Memory: a chunk of
    [B, B, B] numbers at a time.
    """
    corners = torch.ones(len(student), len(student), dtype=torch.long, device=student.device)
    total = angle_sum(student, teacher, _everyone(student), corners, reach=None, penalty="smooth_l1")
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
        distances = squared_distances(centred(teacher, _everyone(teacher))).masked_fill(itself, torch.inf)
        nearest = distances.argsort(dim=-1, stable=True)[:, : min(permute_len, len(teacher) - 1)]

    squared = squared_distances(centred(student, _everyone(student))).gather(-1, nearest)
    scores = -alpha * squared.pow(beta / 2)
    # Row r: the samples that are left when the r nearest have been drawn.
    drawn = torch.ones_like(scores[0].expand(scores.shape[-1], -1), dtype=torch.bool).tril(-1)
    left = scores.unsqueeze(-2).masked_fill(drawn, -torch.inf)
    return (left.logsumexp(dim=-1) - scores).sum(dim=-1).mean()


def _everyone(points: Tensor) -> Tensor:
    return torch.ones(len(points), dtype=torch.bool, device=points.device)
