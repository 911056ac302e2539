"""Attention trees: plain loops over samples, heads and parents, ties, padding, random nodes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from raykd.losses.tree import random_nodes, tree_counts, tree_lists, tree_nodes

LENGTHS = (7, 4, 1, 2)


def maps(levels: int = 3, heads: int = 2, seed: int = 0, *, ties: bool = False) -> tuple[Tensor, Tensor]:
    """Attention [K, 4, H, 7, 7] (of few different values: full of ties) and mask."""
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(levels, len(LENGTHS), heads, 7, 7, generator=generator, dtype=torch.float64)
    mask = (torch.arange(7) < torch.tensor(LENGTHS).unsqueeze(1)).long()
    return (attention * 3).round() if ties else attention, mask


def chosen(row: Tensor, real: int, children: int) -> list[int]:
    return sorted(range(real), key=lambda position: (-row[position].item(), position))[:children]


def loop(attention: Tensor, mask: Tensor, children: int, *, merge: bool) -> dict[tuple[int, int, int], list[int]]:
    """The nodes of each level (from 0), sample and head, breadth-first."""
    found = {}
    for b, real in enumerate(mask.sum(dim=1).tolist()):
        for h in range(attention.shape[2]):
            parents = [0]
            for k in reversed(range(len(attention))):
                nodes = [child for p in parents for child in chosen(attention[k, b, h, p], real, children)]
                parents = sorted(set(nodes)) if merge else nodes
                found[k, b, h] = parents
    return found


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("children", [1, 2, 3, 9])
@pytest.mark.parametrize("levels", [1, 3])
def test_equals_plain_loops(levels: int, children: int, ties: bool) -> None:
    attention, mask = maps(levels, ties=ties)
    nodes, counts = tree_nodes(attention, mask, children), tree_counts(attention, mask, children)
    lists = tree_lists(attention, mask, children)
    assert nodes.dtype == torch.bool
    assert lists.shape[-1] == children**levels
    for (k, b, h), expected in loop(attention, mask, children, merge=True).items():
        assert nodes[k, b, h].nonzero().flatten().tolist() == expected
    for (k, b, h), expected in loop(attention, mask, children, merge=False).items():
        assert dict(Counter(expected)) == {p: n for p, n in enumerate(counts[k, b, h].tolist()) if n}
        assert lists[k, b, h, : len(expected)].tolist() == expected
        assert (lists[k, b, h, len(expected) :] == -1).all()


def test_by_hand() -> None:
    # Root row 0 of layer 2 chooses tokens 1 and 2; of layer 1, row 1 chooses 1 and 0, row 2 chooses 0 and 2.
    upper, lower = torch.zeros(3, 3), torch.tensor([[9.0, 9.0, 9.0], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])
    upper[0] = torch.tensor([0.1, 0.6, 0.3])
    attention, mask = torch.stack([lower, upper])[:, None, None], torch.ones(1, 3)
    assert tree_nodes(attention, mask, 2)[:, 0, 0].tolist() == [[True, True, True], [False, True, True]]
    assert tree_counts(attention, mask, 2)[:, 0, 0].tolist() == [[2, 1, 1], [0, 1, 1]]
    assert tree_lists(attention, mask, 2)[:, 0, 0].tolist() == [[1, 0, 0, 2], [1, 2, -1, -1]]


def test_ties_go_to_the_lower_position() -> None:
    # Long enough rows that an unstable sort would shuffle equal entries.
    nodes = tree_nodes(torch.full((1, 1, 1, 500, 500), 0.002, dtype=torch.bfloat16), torch.ones(1, 500), 3)
    assert nodes[0, 0, 0].nonzero().flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize("function", [tree_nodes, tree_counts, tree_lists])
def test_padding_is_not_read(function: object) -> None:
    assert callable(function)
    attention, mask = maps()
    expected = function(attention, mask, 2)
    padded = torch.full((3, 4, 2, 10, 10), torch.nan, dtype=torch.float64)
    real = (mask.unsqueeze(-1) & mask.unsqueeze(-2)).bool()[None, :, None]
    padded[..., :7, :7] = torch.where(real, attention, torch.nan)
    again = function(padded, torch.nn.functional.pad(mask, (0, 3)), 2)
    if function is not tree_lists:
        assert not again[..., 7:].any()
        again = again[..., :7]
    assert torch.equal(again, expected)


def test_samples_and_heads_do_not_mix() -> None:
    attention, mask = maps()
    samples, heads = torch.tensor([3, 1, 0, 2]), torch.tensor([1, 0])
    moved = tree_nodes(attention[:, samples][:, :, heads], mask[samples], 2)
    assert torch.equal(moved, tree_nodes(attention, mask, 2)[:, samples][:, :, heads])


def test_nothing_real() -> None:
    attention, mask = maps()
    assert not tree_nodes(attention, 0 * mask, 2).any()
    assert not tree_counts(attention, 0 * mask, 2).any()
    assert (tree_lists(attention, 0 * mask, 2) == -1).all()
    assert not random_nodes(3, 2, 0 * mask, 2).any()


@pytest.mark.parametrize("children", [1, 2])
def test_random_nodes(children: int) -> None:
    mask = maps()[1]
    generator = torch.Generator().manual_seed(1)
    nodes = random_nodes(3, 5, mask, children, generator)
    assert nodes.dtype == torch.bool
    assert not (nodes & ~mask.bool()[:, None]).any()
    for k in range(3):
        for b, real in enumerate(LENGTHS):
            assert nodes[k, b].sum(dim=-1).tolist() == [min(children ** (3 - k), real)] * 5
    assert torch.equal(nodes, random_nodes(3, 5, mask, children, torch.Generator().manual_seed(1)))
    assert not torch.equal(nodes, random_nodes(3, 5, mask, children, generator))


def test_random_nodes_are_uniform() -> None:
    nodes = random_nodes(1, 4000, torch.tensor([[1, 1, 1, 1, 0]]), 2, torch.Generator().manual_seed(0))
    shares = nodes[0, 0].double().mean(dim=0)
    assert shares.tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.0], abs=0.04)


def test_mistakes() -> None:
    attention, mask = maps()
    with pytest.raises(ValueError, match="children 0"):
        tree_nodes(attention, mask, 0)
    with pytest.raises(ValueError, match=r"\[K, B, H, L, L\]"):
        tree_nodes(attention[0], mask, 2)
    with pytest.raises(ValueError, match="levels 0"):
        random_nodes(0, 2, mask, 2)
