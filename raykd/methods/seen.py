"""What a term may see of a network: needs, declared beforehand, and the answers to exactly those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["logits", "hidden", "cls", "query", "key", "value", "scores", "attention"]

OF_ATTENTION: frozenset[Kind] = frozenset({"query", "key", "value", "scores", "attention"})


@dataclass(frozen=True, order=True)
class Need:
    """One thing a term must see of a network.

    kind: "logits"; of a layer: "hidden" (its output, 0 = the embedding output), "cls" (the first token of it); of a
    layer's attention, counted from 1: "query", "key", "value" (projections of all heads side by side), "scores"
    (q k^T / sqrt(d_head), not masked) and "attention" (their softmax over real tokens, without dropout).
    """

    kind: Kind
    layer: int = -1


LOGITS = Need("logits")
SEE_LOGITS = frozenset({LOGITS})


def needs(kind: Kind, layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for `kind` of each of `layers`."""
    return frozenset(Need(kind, layer) for layer in layers)


def hidden(layers: tuple[int, ...]) -> frozenset[Need]:
    """The need for the hidden states of `layers`; index 0 is the embedding output."""
    return needs("hidden", layers)


class Seen:
    """What one network answered on one batch: exactly the declared needs, nothing else."""

    def __init__(self, answers: Mapping[Need, Tensor]) -> None:
        self.answers = answers
        self._stacks: dict[tuple[Kind, tuple[int, ...]], Tensor] = {}

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

    def stacked(self, kind: Kind, layers: tuple[int, ...]) -> Tensor:
        """[K, ...]: the answers of `layers` in that order, stacked once a step for all terms."""
        if (kind, layers) not in self._stacks:
            self._stacks[kind, layers] = torch.stack([self.answers[Need(kind, layer)] for layer in layers])
        return self._stacks[kind, layers]

    def of(self, kind: Kind, layer: int) -> Tensor:
        """One answer: [B, L, D] for query, key and value."""
        return self.answers[Need(kind, layer)]
