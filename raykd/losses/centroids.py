"""Global structure: the FSD_G losses of Jung et al., features against a memory of centroids.

Teacher and student have a memory of M centroids each, [M, F_t] (constant, see ``clustering``) and [M, F_s] (learned
with the student). Features are flattened, [B, F_t] and [B, F_s] with F = length * D, so every sample must be brought to
one length first. Teacher features and memory are constants.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .cka import cka, minus_log
from .precision import widened, without_autocast
from .unit import unit

# Squared distances within so many machine epsilons of their terms are rounding noise: 0, without a gradient.
_NOISE = 32


def flatten_features(hidden: Tensor, attention_mask: Tensor | None, length: int) -> Tensor:
    """States [B, L, D] as rows [B, length * D]: padding zeroed where a mask [B, L] is given, then padded or cut.

    Without a mask padded positions keep their values, as in the published code.
    """
    if attention_mask is not None:
        hidden = torch.where(attention_mask.bool().unsqueeze(-1), hidden, 0.0)
    missing = length - hidden.shape[1]
    hidden = F.pad(hidden, (0, 0, 0, missing)) if missing > 0 else hidden[:, :length]
    return hidden.flatten(1)


def memory_cka(student_memory: Tensor, teacher_memory: Tensor) -> Tensor:
    """-ln(|CKA| + 1e-8) between memories [M, F_s] and [M, F_t], one row a centroid; 0 for a single centroid."""
    similarity = cka(student_memory, teacher_memory.detach())
    return minus_log(similarity.unsqueeze(-1), rows=len(student_memory))


def feature_to_centroid_distance(
    student: Tensor, teacher: Tensor, student_memory: Tensor, teacher_memory: Tensor, *, teacher_floor: float = 1e-8
) -> Tensor:
    """Mean over samples and centroids of (D_s - D_t)^2, the Euclidean distances of features to centroids.

    ``teacher_floor`` is added to the teacher's squared distance under the root: 1e-8 in the published FSD_G script,
    0 in the combined one (FSD_ILG).
    """
    with torch.no_grad():
        targets = centroid_distances(teacher, teacher_memory, floor=teacher_floor)
    student_distances, targets = widened(centroid_distances(student, student_memory), targets)
    return F.mse_loss(student_distances, targets)


def feature_to_centroid_cosine(
    student: Tensor, teacher: Tensor, student_memory: Tensor, teacher_memory: Tensor
) -> Tensor:
    """Mean over samples and centroids of (cos_s - cos_t)^2, the cosines of features with centroids."""
    with torch.no_grad():
        targets = centroid_cosines(teacher, teacher_memory)
    student_cosines, targets = widened(centroid_cosines(student, student_memory), targets)
    return F.mse_loss(student_cosines, targets)


def centroid_distances(features: Tensor, memory: Tensor, *, floor: float = 0.0) -> Tensor:
    """sqrt(||x_b - m||^2 + floor), [B, M], of features [B, F] and centroids [M, F]; differentiable in both.

    Where a feature lies on its centroid the gradient is 0. Memory for [B, M] numbers beside the input.
    """
    squared = squared_centroid_distances(features, memory)
    positive = squared + floor > 0
    return torch.where(positive, torch.where(positive, squared + floor, 1.0).sqrt(), 0.0)


def squared_centroid_distances(features: Tensor, memory: Tensor) -> Tensor:
    """||x_b - m||^2, [B, M], of features [B, F] and centroids [M, F]; exactly 0 where only rounding is left."""
    features, memory = widened(features, memory)
    return squared_distances_to(about_mean(memory), features)


@dataclass(frozen=True)
class AboutMean:
    """Centroids about their mean: that mean [F], the centroids without it [M, F], and the squared norms of those [M].

    Inner products of points far from the origin lose the digits that tell them apart; distances know no origin.
    """

    mean: Tensor
    centroids: Tensor
    squared_norms: Tensor


def about_mean(memory: Tensor) -> AboutMean:
    """What of a memory [M, F] is the same for every batch of features: made once where many are to come."""
    (memory,) = widened(memory)
    mean = memory.detach().mean(dim=0)
    centroids = memory - mean
    return AboutMean(mean, centroids, centroids.square().sum(dim=-1))


def squared_distances_to(memory: AboutMean, features: Tensor) -> Tensor:
    """``squared_centroid_distances`` [B, M] of features [B, F], in one product with all centroids."""
    features, mean, centroids, squared_norms = widened(features, memory.mean, memory.centroids, memory.squared_norms)
    features = features - mean
    norms = features.square().sum(dim=-1, keepdim=True) + squared_norms
    with without_autocast(features):
        squared = norms - 2 * (features @ centroids.T)
    return torch.where(squared > _NOISE * torch.finfo(squared.dtype).eps * norms, squared, 0.0)


def centroid_cosines(features: Tensor, memory: Tensor) -> Tensor:
    """cos(x_b, m), [B, M], of features [B, F] and centroids [M, F]; 0 (and no gradient) where either is zero."""
    features, memory = (unit(vectors) for vectors in widened(features, memory))
    with without_autocast(features):
        return features @ memory.T
