"""The sizes of a network that recipes and students are planned with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Shape:
    """layers: transformer layers (hidden states are indexed 0..layers); hidden: width; heads: attention heads."""

    layers: int
    hidden: int
    heads: int
    vocabulary: int
    parameters: int | None = None
    """The number of weights; None where only the configuration is known."""


def shape(of: PreTrainedModel | PreTrainedConfig) -> Shape:
    """The sizes of a model, or of the model that a configuration describes."""
    from transformers import PreTrainedModel

    model = of if isinstance(of, PreTrainedModel) else None
    config = of.config if isinstance(of, PreTrainedModel) else of
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        vocabulary=config.vocab_size,
        parameters=None if model is None else size_of(model),
    )


def size_of(model: nn.Module) -> int:
    """The number of weights; shared ones count once."""
    return sum(weight.numel() for weight in model.parameters())
