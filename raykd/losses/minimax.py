"""Which of an example's neighbours to learn from: Minimax-kNN-KD (Kamalloo et al. 2021).

N examples have K retrieved neighbours each. Once: keep those at a fit angle from their example, in the teacher's eyes.
Each epoch: of an example's kept ones, learn from the few on which teacher and student disagree most.
A batch holds M neighbours, ``owner`` [M] says of which of its examples each is; C is the number of classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .logits import kl_divergence
from .precision import widened
from .unit import unit

NOBODY = -1  # an index that points at no neighbour


@torch.no_grad()
def angular_distance(original: Tensor, neighbours: Tensor) -> Tensor:
    """Angles [N, K] between vectors [N, D] and their neighbours' [N, K, D], in units of pi: from 0 to 1.

    arccos(cos) / pi, computed as 2 atan2(|u - v|, |u + v|) / pi of the unit vectors u and v: near 0 an arc cosine has
    but half the digits. Exactly 0 where the vectors are equal; 0.5 from a zero vector to another. No gradient.
    """
    first, others = widened(original.unsqueeze(-2), neighbours)
    u, v = unit(first), unit(others)
    angle = 2.0 / torch.pi * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))
    return angle.masked_fill((first == others).all(dim=-1), 0.0)


def allowed_neighbours(
    distance: Tensor, n_augmented: Tensor, n_candidates: int, minimum: float, maximum: float
) -> Tensor:
    """Indices [N, n_candidates] of the neighbours each example keeps, padded with -1, from their distance [N, K].

    Of the first ``n_augmented`` [N] those with minimum <= distance <= maximum, where 0 switches a threshold off.
    Without a minimum a distance of exactly 0, a duplicate, is dropped too. Where more than ``n_candidates`` are left,
    the closest are kept, closest first (the first of equals); else all, in the order they came in.
    """
    every = torch.arange(distance.shape[-1], device=distance.device)
    keep = every < n_augmented.unsqueeze(-1)
    keep &= distance >= minimum if minimum > 0 else distance > 0
    if maximum > 0:
        keep &= distance <= maximum
    left = keep.sum(dim=-1, keepdim=True)
    order = torch.where(left > n_candidates, distance, every.to(distance.dtype)).masked_fill(~keep, torch.inf)
    # The stable sort leaves kept ones before the others: nothing kept is infinite.
    indices = order.sort(dim=-1, stable=True).indices[:, :n_candidates]
    indices = F.pad(indices, (0, n_candidates - indices.shape[-1]), value=NOBODY)
    return indices.masked_fill(torch.arange(n_candidates, device=distance.device) >= left, NOBODY)


@torch.no_grad()
def neighbour_kl(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """KL(softmax(t/T) || softmax(s/T)) [M] of logits [M, C] row by row, without T^2; it chooses, so no gradient."""
    student, teacher = widened(student_logits, teacher_logits)
    log_p, log_q = torch.log_softmax(teacher / temperature, dim=-1), torch.log_softmax(student / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def hardest(
    student_logits: Tensor, teacher_logits: Tensor, owner: Tensor, number: int, temperature: float, *, owners: int
) -> Tensor:
    """Rows [owners, number] of each example's neighbours of largest KL, largest first; -1 where it has fewer.

    Logits are [M, C], ``owner`` [M] counts from 0 to owners - 1 in any order; of equal KL the first row comes first.
    The method trains on all ``number`` columns; the published code's "rank R" is column R - 1 alone.
    """
    return largest(neighbour_kl(student_logits, teacher_logits, temperature), owner, number, owners=owners)


def largest(score: Tensor, owner: Tensor, number: int, *, owners: int) -> Tensor:
    """As `hardest`, by any ``score`` [M]: for a regression, whose logits have no KL, the squared difference."""
    # Two stable sorts: by score, then by owner; a row's rank is its distance from the first of its owner.
    by_score = score.sort(descending=True, stable=True).indices
    owner = owner.long()
    sorted_owner, by_owner = owner[by_score].sort(stable=True)
    counts = torch.bincount(owner)
    first = counts.cumsum(dim=0) - counts
    rank = torch.arange(len(owner), device=owner.device) - first[sorted_owner]
    rows = torch.full((owners, number), NOBODY, device=owner.device)
    ranked = rank < number
    rows[sorted_owner[ranked], rank[ranked]] = by_score[by_owner][ranked]
    return rows


def selected_kl(student_logits: Tensor, teacher_logits: Tensor, rows: Tensor, temperature: float) -> Tensor:
    """``T^2 KL`` of logits [M, C], mean over the selected ``rows`` (any shape; -1 is none); 0 where none is."""
    chosen = rows[rows >= 0].long()
    return kl_divergence(student_logits[chosen], teacher_logits[chosen], temperature)
