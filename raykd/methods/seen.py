"""What a term may see of a network: needs, declared beforehand, and the answers to exactly those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Kind = Literal[
    "logits", "hidden", "cls", "query", "key", "value", "scores", "attention", "word_distances", "layer_distances",
    "word_gram", "relation",
]  # fmt: skip

OF_ATTENTION: frozenset[Kind] = frozenset({"query", "key", "value", "scores", "attention", "relation"})
PROJECTED: dict[str, Kind] = {"q": "query", "k": "key", "v": "value"}  # by the letters of a relation


@dataclass(frozen=True, order=True)
class Need:
    """One thing a term must see of a network.

    kind: "logits"; of a layer: "hidden" (its output, 0 = the embedding output), "cls" (the first token of it); of a
    layer's attention, counted from 1: "query", "key", "value" (projections of all heads side by side), "scores"
    (q k^T / sqrt(d_head), not masked) and "attention" (their softmax over real tokens, without dropout).

    Relations are made of hidden states and far smaller: "word_distances" (of one layer, between tokens at most `reach`
    apart), "layer_distances" (between the `layers` of one token) and "word_gram" (of one layer, all tokens).
    "relation" is made of projections: x_i . y_j / sqrt(d) for each of `heads` relation heads, not masked; `letters` say
    which x and y, "qk" or "vv".

    padding: positions of padding are looked at, too. What stands there depends on the batch, so no store can hold it.
    """

    kind: Kind
    layer: int = -1
    layers: tuple[int, ...] = ()
    reach: int = 0
    padding: bool = False
    letters: str = ""
    heads: int = 0


LOGITS = Need("logits")
SEE_LOGITS = frozenset({LOGITS})


def needs(kind: Kind, layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for `kind` of each of `layers`."""
    return frozenset(Need(kind, layer) for layer in layers)


def hidden(layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for the hidden states of `layers`; index 0 is the embedding output."""
    return needs("hidden", layers)


def padded(wanted: frozenset[Need], padding: bool = True) -> frozenset[Need]:
    """The same needs, where `padding` of those who look at positions of padding as well."""
    return frozenset(replace(need, padding=padding) for need in wanted)


def word_distances(layers: tuple[int, ...], reach: int) -> frozenset[Need]:
    """The need for the distances between tokens of each of `layers`, up to `reach` apart."""
    return frozenset(Need("word_distances", layer, reach=reach) for layer in layers)


def layer_distances(layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for the distances between `layers` of each token."""
    return frozenset({Need("layer_distances", layers=layers)})


def relations(pairs: tuple[str, ...], layers: tuple[int, ...], heads: int) -> frozenset[Need]:
    """The need for the relations `pairs`, two letters each, of each of `layers`."""
    return frozenset(Need("relation", layer, letters=pair, heads=heads) for pair in pairs for layer in layers)


def projections_of(need: Need) -> frozenset[Need]:
    """Queries, keys or values that a relation can be computed from; empty for a need of another kind."""
    return frozenset(Need(PROJECTED[letter], need.layer, padding=need.padding) for letter in need.letters)


class Seen:
    """What one network answered on one batch: exactly the declared needs, nothing else."""

    def __init__(self, answers: Mapping[Need, Tensor]) -> None:
        self.answers = answers  # none of them by a need with `padding`: whoever looks finds one answer
        self._stacks: dict[tuple[Need, ...], Tensor] = {}

    @property
    def logits(self) -> Tensor:
        """[B, C] for classes, [B, 1] for a number, [2 B, L] for spans (the starts of all rows, then the ends)."""
        return self.answers[LOGITS]

    def hidden(self, layers: tuple[int, ...]) -> Tensor:
        """[K, B, L, D]: the hidden states of `layers`."""
        return self.stacked("hidden", layers)

    def cls(self, layers: tuple[int, ...]) -> Tensor:
        """[K, B, D]: the first token's hidden state of `layers`."""
        return self.stacked("cls", layers)

    def scores(self, layers: tuple[int, ...]) -> Tensor:
        """[K, B, H, L, L]: raw attention scores of `layers`, padding included."""
        return self.stacked("scores", layers)

    def attention(self, layers: tuple[int, ...]) -> Tensor:
        """[K, B, H, L, L]: attention probabilities of `layers`, 0 on padded keys."""
        return self.stacked("attention", layers)

    def word_distances(self, layers: tuple[int, ...], reach: int) -> Tensor:
        """[K, B, L, R]: the squared distance between token i and token i + 1 + r, r < R = min(reach, L - 1)."""
        return self._stack(tuple(Need("word_distances", layer, reach=reach) for layer in layers))

    def layer_distances(self, layers: tuple[int, ...]) -> Tensor:
        """[B, L, P]: squared distances between the `layers` of each token, P pairs (0, 1), (0, 2), ..., (1, 2), ..."""
        return self.answers[Need("layer_distances", layers=layers)]

    def relation(self, letters: str, layers: tuple[int, ...], heads: int) -> Tensor:
        """[K, B, H, L, L]: the scores of a relation of `layers`; what stands at padding means nothing."""
        return self._stack(tuple(Need("relation", layer, letters=letters, heads=heads) for layer in layers))

    def stacked(self, kind: Kind, layers: tuple[int, ...]) -> Tensor:
        """[K, ...]: the answers of `layers` in that order, stacked once a step for all terms."""
        return self._stack(tuple(Need(kind, layer) for layer in layers))

    def _stack(self, wanted: tuple[Need, ...]) -> Tensor:
        if wanted not in self._stacks:
            self._stacks[wanted] = torch.stack([self.answers[need] for need in wanted])
        return self._stacks[wanted]

    def of(self, kind: Kind, layer: int) -> Tensor:
        """One answer: [B, L, D] for query, key and value."""
        return self.answers[Need(kind, layer)]
