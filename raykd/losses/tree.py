"""The attention tree of TKD (Xu, Ji, Xie: Tree Knowledge Distillation, Algorithm 1): which tokens are its nodes.

Shapes: ``attention`` [K, B, H, L, L] holds the attention maps (row: query, column: key) of layers 1 to K, index 0 being
layer 1; ``attention_mask`` [B, L] is 1 on real tokens, which come first. The root is [CLS], position 0, and no node.

Every sample and head has a tree of its own. Its level K are the ``children`` tokens with the largest attention in row
[CLS] of layer K's map; level k < K are, for every token p of level k + 1, the ``children`` largest of row p of layer
k's map. Padding is never chosen, [CLS] and [SEP] may be; ties go to the lower position; where fewer tokens are real
than ``children``, all of them are chosen. The teacher's tree is the same function of the teacher's maps.
"""

from __future__ import annotations

import torch
from torch import Tensor


def tree_nodes(attention: Tensor, attention_mask: Tensor, children: int) -> Tensor:
    """Whether a token is a node, bool [K, B, H, L]: every level is a set, merged before going down."""
    return tree_counts(attention, attention_mask, children) > 0


def tree_counts(attention: Tensor, attention_mask: Tensor, children: int) -> Tensor:
    """How often a token is a node, int64 [K, B, H, L]: a token that two parents chose counts, and branches, twice."""
    levels, batch, heads, length = _checked(attention, children)
    counts = attention.new_zeros((batch, heads, length), dtype=torch.long)
    counts[..., 0] = 1  # the root
    most = 1  # a level holds so many different tokens at most
    result = [counts] * levels
    for level in reversed(range(levels)):
        # Only the rows of tokens in the level above are sorted: few of the L.
        parents = (counts > 0).byte().sort(dim=-1, descending=True, stable=True).indices[..., :most]
        positions, exist = _largest(attention[level], attention_mask, parents, children)
        chosen = torch.zeros(*parents.shape, length, dtype=torch.bool, device=attention.device)
        chosen.scatter_(-1, positions, exist)
        counts = (counts.gather(-1, parents).unsqueeze(-1) * chosen).sum(dim=-2)
        most = min(most * children, length)
        result[level] = counts
    return torch.stack(result)


def tree_lists(attention: Tensor, attention_mask: Tensor, children: int) -> Tensor:
    """The nodes of ``tree_counts`` in breadth-first order, positions int64 [K, B, H, children^K], -1 where none is.

    Siblings stand in the order of their attention, the largest first. Grows with children^K: for small trees.
    """
    levels, batch, heads = _checked(attention, children)[:3]
    nodes = attention.new_zeros((batch, heads, 1), dtype=torch.long)
    exist = torch.ones_like(nodes, dtype=torch.bool)
    result = nodes.new_full((levels, batch, heads, children**levels), -1)
    for level in reversed(range(levels)):
        nodes, below = _largest(attention[level], attention_mask, nodes, children)
        nodes, exist = nodes.flatten(2), (exist.unsqueeze(-1) & below).flatten(2)
        # Where fewer tokens are real than children, the gaps they leave go to the end.
        order = exist.byte().sort(dim=-1, descending=True, stable=True).indices
        nodes, exist = nodes.gather(-1, order), exist.gather(-1, order)
        result[level, ..., : nodes.shape[-1]] = torch.where(exist, nodes, -1)
    return result


def random_nodes(
    levels: int, heads: int, attention_mask: Tensor, children: int, generator: torch.Generator | None = None
) -> Tensor:
    """Random real tokens instead of a tree, bool [K, B, H, L]: as many per level as a full tree would have.

    Level k of each sample and head gets children^(K - k + 1) of its tokens without replacement, or all of them where it
    has fewer. ``generator`` may live on another device than the mask.
    """
    if children < 1 or levels < 1:
        raise ValueError(f"children {children}, levels {levels}: both are 1 or more")
    batch, length = attention_mask.shape
    real = attention_mask.bool().unsqueeze(1)
    device = generator.device if generator is not None else real.device
    draws = torch.rand(levels, batch, heads, length, generator=generator, device=device).to(real.device)
    rank = draws.masked_fill(~real, 2.0).argsort(dim=-1).argsort(dim=-1)  # padding draws more than any token can
    number = torch.tensor([min(children ** (levels - level), length) for level in range(levels)], device=real.device)
    return (rank < number.view(-1, 1, 1, 1)) & real


def _largest(attention: Tensor, attention_mask: Tensor, rows: Tensor, children: int) -> tuple[Tensor, Tensor]:
    """The largest entries of rows [B, H, R] of one layer's maps [B, H, L, L]: positions [B, H, R, m], and which exist.

    A stable sort, as topk and argsort promise nothing about ties; entries of padding come last.
    """
    real = attention_mask.bool()[:, None, None, :]
    entries = torch.take_along_dim(attention.detach(), rows.unsqueeze(-1), dim=-2)
    order = entries.masked_fill(~real, -torch.inf).sort(dim=-1, descending=True, stable=True).indices
    positions = order[..., :children]
    return positions, torch.take_along_dim(real.expand_as(entries), positions, dim=-1)


def _checked(attention: Tensor, children: int) -> tuple[int, int, int, int]:
    """(K, B, H, L). Raises ValueError for maps that are not square, or no children."""
    if attention.dim() != 5 or attention.shape[-1] != attention.shape[-2]:
        raise ValueError(f"attention {tuple(attention.shape)}: it is [K, B, H, L, L]")
    if children < 1:
        raise ValueError(f"children {children}: it is 1 or more")
    levels, batch, heads, length, _ = attention.shape
    return levels, batch, heads, length
