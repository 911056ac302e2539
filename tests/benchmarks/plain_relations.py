"""The relation losses in their plain form, as published: what the benchmark of losses measures raykd's against.

Student and teacher [K, B, L, D], mask [B, L]; float32 on CPU. Nothing here is careful: padding must be finite, points
must differ, and tensors are as large as the formula makes them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def plain_word_angle(student: Tensor, teacher: Tensor, mask: Tensor, delta: int) -> Tensor:
    """Differences [B, L, W, D] of every layer, their units, and cosines [B, L, W, W]; clamped neighbours."""
    length = student.shape[2]
    offsets = torch.arange(-delta, delta + 1)
    positions = (torch.arange(length).unsqueeze(1) + offsets).clamp(0, length - 1)

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states[:, positions] - states.unsqueeze(2), dim=-1)
        return differences @ differences.transpose(-1, -2)

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + (cosines(ours) - cosines(theirs)).square()[mask.bool()].sum()
    return total / (len(student) * mask.sum() * len(offsets) ** 2)


def plain_word_angle_full(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """The same with every real token for a neighbour, one sentence at a time."""

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states.unsqueeze(0) - states.unsqueeze(1), dim=-1)
        return differences @ differences.transpose(-1, -2)

    total = student.new_zeros(())
    lengths = mask.sum(dim=1).tolist()
    for ours, theirs in zip(student, teacher, strict=True):
        for sentence, real in enumerate(lengths):
            total = total + (cosines(ours[sentence, :real]) - cosines(theirs[sentence, :real])).square().sum()
    return total / (len(student) * sum(real**3 for real in lengths))


def plain_word_distance(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Squared norms of differences [B, L, L, D], normalised, of every layer."""
    pairs = (mask.unsqueeze(1) * mask.unsqueeze(2)).bool()
    others = pairs & ~torch.eye(mask.shape[1], dtype=torch.bool)

    def distances(states: Tensor) -> Tensor:
        squared = (states.unsqueeze(1) - states.unsqueeze(2)).square().sum(dim=-1)
        return squared / ((squared * others).sum(dim=(1, 2), keepdim=True) / others.sum(dim=(1, 2), keepdim=True))

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + (distances(ours) - distances(theirs)).square()[others].sum()
    return total / (len(student) * pairs.sum())


def plain_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Cosines [M, N, N]: for each i the softmax over the others, as an [M, N, N - 1] tensor; the sum."""
    number = student.shape[1]
    others = torch.tensor([[j for j in range(number) if j != i] for i in range(number)])

    def logs(cosines: Tensor) -> Tensor:
        return cosines.gather(2, others.expand(len(cosines), -1, -1)).log_softmax(dim=-1)

    return F.kl_div(logs(student), logs(teacher), reduction="sum", log_target=True)


def plain_word_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Products of unit vectors, one sentence at a time."""

    def cosines(states: Tensor) -> Tensor:
        units = F.normalize(states, dim=-1)
        return units @ units.transpose(-1, -2)

    total = student.new_zeros(())
    lengths = mask.sum(dim=1).tolist()
    for b, real in enumerate(lengths):
        total = total + plain_kl(cosines(student[:, b, :real]), cosines(teacher[:, b, :real]))
    return total / (len(student) * sum(real**2 for real in lengths))


def by_token(states: Tensor, mask: Tensor) -> Tensor:
    return states[:, mask.bool()].transpose(0, 1)


def plain_layer_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Cosines of every two layers of every real token, as products [n, K, K, D]."""

    def cosines(states: Tensor) -> Tensor:
        return F.cosine_similarity(states.unsqueeze(1), states.unsqueeze(2), dim=-1)

    total = plain_kl(cosines(by_token(student, mask)), cosines(by_token(teacher, mask)))
    return total / (mask.sum() * len(student) ** 2)


def plain_layer_distance(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Squared norms of differences [n, K, K, D], normalised."""
    layers = len(student)

    def distances(states: Tensor) -> Tensor:
        squared = (states.unsqueeze(1) - states.unsqueeze(2)).square().sum(dim=-1)
        return squared / (squared.sum(dim=(1, 2), keepdim=True) / (layers * (layers - 1)))

    difference = distances(by_token(student, mask)) - distances(by_token(teacher, mask))
    return difference.square().sum() / (mask.sum() * layers**2)


def plain_layer_angle(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Differences [n, K, K, D] of the layers of every real token."""

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states.unsqueeze(1) - states.unsqueeze(2), dim=-1)
        return differences @ differences.transpose(-1, -2)

    difference = cosines(by_token(student, mask)) - cosines(by_token(teacher, mask))
    return difference.square().sum() / (mask.sum() * len(student) ** 3)


def plain_rkd_distance(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Flattened samples [B, L D] of the last layer; squared norms and products, as published."""

    def distances(points: Tensor) -> Tensor:
        squares = points.square().sum(dim=1)
        squared = (squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * points @ points.T).clamp_min(1e-12)
        found = squared.sqrt() * (1 - torch.eye(len(points)))
        return found / found[found > 0].mean()

    return F.smooth_l1_loss(distances(student[-1].flatten(1)), distances(teacher[-1].flatten(1)))


def plain_rkd_angle(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Differences [B, B, L D] of the flattened samples of the last layer, their units, and cosines [B, B, B]."""

    def cosines(points: Tensor) -> Tensor:
        units = F.normalize(points.unsqueeze(0) - points.unsqueeze(1), dim=2)
        return units @ units.transpose(1, 2)

    return F.smooth_l1_loss(cosines(student[-1].flatten(1)), cosines(teacher[-1].flatten(1)))
