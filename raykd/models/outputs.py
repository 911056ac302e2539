"""What a loss may see of a forward pass, the same for every architecture."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Outputs:
    """B sentences, C logits, L tokens, D hidden width, H heads."""

    logits: Tensor
    """`[B, C]`; of a model for spans `[B, L, 2]`, each token as start and as end of the answer"""
    hidden_states: tuple[Tensor, ...] | None
    """One `[B, L, D]` a layer, index 0 the embedding output; None if not asked for."""
    attentions: tuple[Tensor, ...] | None
    """One `[B, H, L, L]` a layer, probabilities; None if not asked for."""


def forward(
    model: nn.Module,
    *,
    input_ids: Tensor | None = None,
    attention_mask: Tensor,
    token_type_ids: Tensor | None = None,
    inputs_embeds: Tensor | None = None,
    hidden_states: bool = False,
    attentions: bool = False,
) -> Outputs:
    """Run a model (or its DistributedDataParallel wrapper) on a batch.

    input_ids, attention_mask, token_type_ids: `[B, L]`, mask 1 for tokens and 0 for padding. token_type_ids are dropped
    for models that know no second segment (RoBERTa, DistilBERT). inputs_embeds: `[B, L, D_embedding]` instead of
    input_ids, for methods that invent soft sentences.
    Raises ValueError if attentions are asked of a model that was not loaded with attention="eager".
    """
    inner = model.module if isinstance(model, DistributedDataParallel) else model
    given: dict[str, Any] = {"attention_mask": attention_mask}
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give either input_ids or inputs_embeds")
    given |= {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    if token_type_ids is not None and takes_segments(inner):
        given["token_type_ids"] = token_type_ids
    found = model(**given, output_hidden_states=hidden_states, output_attentions=attentions, return_dict=True)
    # SDPA never materialises the maps: transformers then answers with an empty tuple, or with None in it.
    if attentions and (not found.attentions or any(one is None for one in found.attentions)):
        raise ValueError("this model gives no attention maps: load it with attention='eager'")
    return Outputs(
        logits=torch.stack([found.start_logits, found.end_logits], dim=-1) if "start_logits" in found else found.logits,
        hidden_states=tuple(found.hidden_states) if hidden_states else None,
        attentions=tuple(found.attentions) if attentions else None,
    )


def takes_segments(model: nn.Module) -> bool:
    """Whether a second segment means anything to the model: a token_type_ids argument and two or more types."""
    types = vars(model.config).get("type_vocab_size", 2)
    return _has_argument(type(model).forward) and isinstance(types, int) and types >= 2


@lru_cache(maxsize=64)
def _has_argument(forward_of_kind: Callable[..., Any]) -> bool:
    return "token_type_ids" in inspect.signature(forward_of_kind).parameters
