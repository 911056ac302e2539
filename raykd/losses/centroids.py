"""Global structure: the FSD_G losses of Jung et al., features against a memory of centroids.

Teacher and student have a memory of M centroids each, [M, F_t] (constant, see ``clustering``) and [M, F_s] (learned
with the student). Features are flattened, [B, F_t] and [B, F_s] with F = length * D, so every sample must be brought to
one length first. Teacher features and memory are constants.

Every loss is there twice: of features and memories, and, named ``*_of``, of what they look at in those: distances and
cosines [B, M], the same for a teacher's row in every epoch, and the Gram matrix [M, M] of a memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .centroid_products import centroid_relations, memory_gram
from .cka import alignment, minus_log
from .precision import widened, without_autocast

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
    return memory_cka_of(memory_gram(student_memory), memory_gram(teacher_memory.detach()))


def memory_cka_of(student_gram: Tensor, teacher_gram: Tensor) -> Tensor:
    """``memory_cka`` of the ``memory_gram`` [M, M] of either."""
    return minus_log(alignment(student_gram, teacher_gram.detach()).unsqueeze(-1), rows=len(student_gram))


def feature_to_centroid_distance(
    student: Tensor, teacher: Tensor, student_memory: Tensor, teacher_memory: Tensor, *, teacher_floor: float = 1e-8
) -> Tensor:
    """Mean over samples and centroids of (D_s - D_t)^2, the Euclidean distances of features to centroids.

    ``teacher_floor`` is added to the teacher's squared distance under the root: 1e-8 in the published FSD_G script,
    0 in the combined one (FSD_ILG).
    """
    with torch.no_grad():
        targets = squared_centroid_distances(teacher, teacher_memory)
    squared = squared_centroid_distances(student, student_memory)
    return feature_to_centroid_distance_of(squared, targets, teacher_floor=teacher_floor)


def feature_to_centroid_distance_of(student: Tensor, teacher: Tensor, *, teacher_floor: float = 1e-8) -> Tensor:
    """``feature_to_centroid_distance`` of *squared* distances [B, M]."""
    student, teacher = widened(student, teacher.detach())
    return F.mse_loss(_root(student), _root(teacher + teacher_floor))


def feature_to_centroid_cosine(
    student: Tensor, teacher: Tensor, student_memory: Tensor, teacher_memory: Tensor
) -> Tensor:
    """Mean over samples and centroids of (cos_s - cos_t)^2, the cosines of features with centroids."""
    with torch.no_grad():
        targets = centroid_cosines(teacher, teacher_memory)
    return feature_to_centroid_cosine_of(centroid_cosines(student, student_memory), targets)


def feature_to_centroid_cosine_of(student: Tensor, teacher: Tensor) -> Tensor:
    """``feature_to_centroid_cosine`` of cosines [B, M]."""
    student, teacher = widened(student, teacher.detach())
    return F.mse_loss(student, teacher)


def centroid_distances(features: Tensor, memory: Tensor, *, floor: float = 0.0) -> Tensor:
    """sqrt(||x_b - m||^2 + floor), [B, M], of features [B, F] and centroids [M, F]; differentiable in both.

    Where a feature lies on its centroid the gradient is 0.
    """
    return _root(squared_centroid_distances(features, memory) + floor)


def squared_centroid_distances(features: Tensor, memory: Tensor) -> Tensor:
    """||x_b - m||^2, [B, M], of features [B, F] and centroids [M, F]; exactly 0 where only rounding is left."""
    return centroid_relations(features, memory).squared_distances


def centroid_cosines(features: Tensor, memory: Tensor) -> Tensor:
    """cos(x_b, m), [B, M], of features [B, F] and centroids [M, F]; 0 (and no gradient) where either is zero."""
    return centroid_relations(features, memory).cosines


def _root(squared: Tensor) -> Tensor:
    """The square root, of 0 without a gradient."""
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


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
