"""The five kinds of encoder that raykd is tried with, tiny and random, for classes, a number or spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    MobileBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

WORDS = 40


def _bert(layers: int) -> PreTrainedConfig:
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    return BertConfig(vocab_size=WORDS, num_hidden_layers=layers, **sizes)


def _roberta(layers: int) -> PreTrainedConfig:
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    return RobertaConfig(vocab_size=WORDS, num_hidden_layers=layers, max_position_embeddings=70, **sizes)


def _distilbert(layers: int) -> PreTrainedConfig:
    return DistilBertConfig(vocab_size=WORDS, n_layers=layers, dim=32, n_heads=4, hidden_dim=64)


def _mobilebert(layers: int) -> PreTrainedConfig:
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "embedding_size": 24,
        "intra_bottleneck_size": 16,
        "intermediate_size": 64,
    }
    return MobileBertConfig(vocab_size=WORDS, num_hidden_layers=layers, num_attention_heads=4, **sizes)


def _electra(layers: int) -> PreTrainedConfig:
    sizes: dict[str, Any] = {"hidden_size": 32, "embedding_size": 16, "num_attention_heads": 4, "intermediate_size": 64}
    return ElectraConfig(vocab_size=WORDS, num_hidden_layers=layers, **sizes)


KINDS: dict[str, Callable[[int], PreTrainedConfig]] = {
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "mobilebert": _mobilebert,
    "electra": _electra,
}


def tiny(kind: str, layers: int, answers: str, *, attention: str = "sdpa", seed: int = 0) -> PreTrainedModel:
    """A random model in evaluation mode that gives 3 classes, a number, or starts and ends."""
    config = KINDS[kind](layers)
    config.num_labels = {"classes": 3, "number": 1, "span": 2}[answers]
    auto = AutoModelForQuestionAnswering if answers == "span" else AutoModelForSequenceClassification
    torch.manual_seed(seed)
    options = {"attn_implementation": "eager"} if attention == "eager" else {}
    model: PreTrainedModel = auto.from_config(config, **options)
    return model.eval()
