"""Which words relate to which: the corners of a vertex, within a window or not, and where they lie in a half band."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .distances import layer_pairs

Neighbours = Literal["clamp", "valid"]


def corner_counts(real: Tensor, delta: int | None, neighbours: Neighbours) -> Tensor:
    """[B, L, L]: how often j is a corner of the vertex i; 0 where i is padding."""
    if neighbours not in ("clamp", "valid"):
        raise ValueError(f"neighbours {neighbours!r}: allowed are 'clamp' and 'valid'")
    length = real.shape[-1]
    vertices = real.unsqueeze(-1)
    if delta is None:
        return (vertices & real.unsqueeze(-2)).long()
    near = _near(length, delta, real.device)
    if neighbours == "valid":
        return (vertices & real.unsqueeze(-2) & near).long()
    every = torch.arange(length, device=real.device)
    times = near.long()
    times[:, 0] += (delta - every).clamp_min(0)  # positions before the first: all of them are the first
    times[:, -1] += (delta - every.flip(0)).clamp_min(0)
    return vertices.long() * times


def _near(length: int, delta: int, device: torch.device) -> Tensor:
    """[L, L]: whether |i - j| <= delta. Raises ValueError for a negative delta."""
    if delta < 0:
        raise ValueError(f"delta {delta}: it is 0 or more, or None for no limit")
    every = torch.arange(length, device=device)
    return (every.unsqueeze(0) - every.unsqueeze(1)).abs() <= delta


def in_windows(matrix: Tensor, delta: int) -> Tensor:
    """[B, L, 2 delta + 1]: column i - delta + c of row i of [B, L, L], 0 where there is none."""
    length = matrix.shape[-1]
    first = torch.arange(length, device=matrix.device).unsqueeze(-1)
    positions = first + torch.arange(-delta, delta + 1, device=matrix.device)
    exists = (positions >= 0) & (positions < length)
    return matrix.gather(-1, positions.clamp(0, length - 1).expand(len(matrix), -1, -1)) * exists


def half_band(real: Tensor, reach: int) -> Tensor:
    """[B, L, reach]: whether i and i + 1 + column are both real."""
    length = real.shape[-1]
    second = torch.arange(length, device=real.device).unsqueeze(-1) + torch.arange(1, reach + 1, device=real.device)
    return real.unsqueeze(-1) & real[:, second.clamp_max(length - 1)] & (second < length)


def condensed(length: int, device: torch.device) -> Tensor:
    """Where in a flat half band [L, L - 1] the pairs of layer_pairs lie."""
    first, second = layer_pairs(length, device)
    return first * (length - 1) + second - first - 1
