"""Squared distances between tokens, between layers and between samples: what pair relations and angles are made of.

Small beside the states they come from, and the same however these are shifted or turned: so they can be computed once
and kept. Distances of points that are not counted are 0, like those of points that differ by no more than rounding,
which have no gradient. Everything is float32 at least.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .products import point_distances


def word_distances(states: Tensor, counted: Tensor, reach: int | None) -> Tensor:
    """||x_i - x_(i+o)||^2 at column o - 1 of row i, [..., L, R], of states [..., L, D]; 0 where i + o is beyond L.

    ``counted`` [L], [B, L] or more, 1 for the tokens that count, has the last leading dimensions of the states. R is
    ``reach``, how far apart two tokens may be, or L - 1 if that is less or ``reach`` is None. Raises ValueError for a
    negative reach.
    """
    if reach is not None and reach < 0:
        raise ValueError(f"reach {reach}: it is 0 or more, or None for no limit")
    length = states.shape[-2]
    reach = length - 1 if reach is None else min(reach, length - 1)
    first = torch.arange(length, device=states.device).unsqueeze(-1)
    second = first + torch.arange(1, reach + 1, device=states.device)
    pairs = torch.where(second < length, first * length + second, 0)
    texts = states.reshape(-1, *states.shape[-2:])
    counted = counted.bool().expand(states.shape[:-1]).reshape(-1, length)
    return point_distances(texts, counted, pairs.flatten()).view(*states.shape[:-1], reach)


def layer_distances(states: Tensor, attention_mask: Tensor) -> Tensor:
    """||x_k - x_l||^2 of the K states [K, B, L, D] of each token, [B, L, P], the P pairs in the order of layer_pairs.

    ``attention_mask`` [B, L]: a token of padding has zeros.
    """
    layers = len(states)
    tokens = states.flatten(1, 2).transpose(0, 1)
    counted = attention_mask.bool().flatten().unsqueeze(-1).expand(-1, layers)
    first, second = layer_pairs(layers, states.device)
    return point_distances(tokens, counted, first * layers + second).view(*attention_mask.shape, -1)


def layer_pairs(layers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The two layers [P] of each pair: (0, 1), (0, 2), ..., (0, K - 1), (1, 2), ...; P = K (K - 1) / 2."""
    first, second = torch.triu_indices(layers, layers, 1, device=device)
    return first, second


def sample_distances(points: Tensor) -> Tensor:
    """||x_i - x_j||^2, [P], of points [B, D], the pairs in the order of layer_pairs."""
    number = len(points)
    first, second = layer_pairs(number, points.device)
    return point_distances(points.unsqueeze(0), _everyone(points), first * number + second).squeeze(0)


def sample_distance_matrix(points: Tensor) -> Tensor:
    """||x_i - x_j||^2, [B, B], of points [B, D]; 0 on the diagonal."""
    number = len(points)
    pairs = torch.arange(number**2, device=points.device)
    return point_distances(points.unsqueeze(0), _everyone(points), pairs).view(number, number)


def _everyone(points: Tensor) -> Tensor:
    return torch.ones(1, len(points), dtype=torch.bool, device=points.device)
