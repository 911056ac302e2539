"""The sizes of a network that recipes and students are planned with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raykd.errors import UserError
from raykd.models.inside import projections
from raykd.models.outline import encoder_outline

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
    projected: int | None = None
    """Width of queries, keys and values of all heads together, where it is known; MobileBERT's is not `hidden`."""
    visible: bool = True
    """Whether layers and attention can be looked into (not ALBERT, DeBERTa, ModernBERT)."""


def shape(of: PreTrainedModel | PreTrainedConfig) -> Shape:
    """The sizes of a model, or of the model that a configuration describes."""
    from transformers import PreTrainedModel

    model = of if isinstance(of, PreTrainedModel) else None
    config = of.config if isinstance(of, PreTrainedModel) else of
    projected = _projected(config)
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        vocabulary=config.vocab_size,
        parameters=None if model is None else size_of(model),
        projected=projected,
        visible=projected is not None,
    )


def _projected(config: PreTrainedConfig) -> int | None:
    """Width of the first layer's queries of the encoder that `config` describes; None where they cannot be seen."""
    model = encoder_outline(config)
    try:
        return int(projections(model)[0].query.out_features)
    except UserError:
        return None


def size_of(model: nn.Module) -> int:
    """The number of weights; shared ones count once."""
    return sum(weight.numel() for weight in model.parameters())
