"""How far the relations among a student's features are from its teacher's: FSD's measurements (Jung et al.).

No loss: nothing here is differentiated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Difference:
    """One relation of teacher and student over all pairs; standard deviations are unbiased.

    ``difference`` is the mean of |teacher - student|. Of cosines, means and deviations are those of absolute values,
    while the difference keeps the signs, as published.
    """

    difference: float
    teacher_mean: float
    teacher_std: float
    student_mean: float
    student_std: float

    def values(self) -> list[float]:
        """The five numbers in the order above."""
        return list(asdict(self).values())


@dataclass(frozen=True)
class RelationDifference:
    """Euclidean distances and cosines between samples (``inter``) and between the tokens of each (``intra``)."""

    inter_dist: Difference
    inter_cos: Difference
    intra_dist: Difference
    intra_cos: Difference


@torch.no_grad()
def relation_difference(student: Tensor, teacher: Tensor, attention_mask: Tensor | None = None) -> RelationDifference:
    """Measure hidden states of student [B, L, D_s] and teacher [B, L, D_t], both in float32 at least.

    Between samples: their flattened states, all B * B pairs. Within them: all pairs of tokens of all samples, pooled.
    Pairs of a thing with itself count. ``attention_mask`` [B, L] is 1 on tokens: padding is zero in the flattened
    states and in no pair of tokens. None, as published: padding takes part.
    """
    states = [hidden.to(torch.promote_types(hidden.dtype, torch.float32)) for hidden in (teacher, student)]
    every = torch.ones(student.shape[:2], device=student.device) if attention_mask is None else attention_mask
    real = every.bool()
    states = [torch.where(real.unsqueeze(-1), hidden, 0.0) for hidden in states]
    samples = [hidden.flatten(1) for hidden in states]
    pairs = real.unsqueeze(-1) & real.unsqueeze(-2)
    return RelationDifference(
        inter_dist=_compared(*(_distances(points).flatten() for points in samples)),
        inter_cos=_compared(*(_cosines(points).flatten() for points in samples)),
        intra_dist=_compared(*(_distances(points)[pairs] for points in states)),
        intra_cos=_compared(*(_cosines(points)[pairs] for points in states)),
    )


def _compared(teacher: Tensor, student: Tensor) -> Difference:
    sizes = teacher.abs(), student.abs()  # distances are what they are
    means_and_stds = [number for size in sizes for number in (size.mean().item(), _std(size))]
    return Difference((teacher - student).abs().mean().item(), *means_and_stds)


def _std(values: Tensor) -> float:
    return values.std().item() if len(values) > 1 else 0.0


def _distances(points: Tensor) -> Tensor:
    """||x_i - x_j||, [..., N, N], of points [..., N, D], from differences: small ones among large are not lost."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def _cosines(points: Tensor) -> Tensor:
    unit = F.normalize(points, dim=-1, eps=1e-12)
    return unit @ unit.mT
