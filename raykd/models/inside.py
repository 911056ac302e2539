"""Where the layers and attention projections of an encoder lie, found by structure, the same way for every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from raykd.errors import UserError

# The last part of a projection's name: BERT, RoBERTa, ELECTRA and MobileBERT say query, DistilBERT q_lin.
PROJECTIONS = {"query": ("query", "q_lin"), "key": ("key", "k_lin"), "value": ("value", "v_lin")}


def bare(model: nn.Module) -> nn.Module:
    """The model within a DistributedDataParallel wrapper, or itself."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def stacks(model: nn.Module) -> dict[str, nn.ModuleList]:
    """The lists of the configured depth within the encoder, by name; not those within a layer (MobileBERT's
    feed-forwards). An encoder that raykd can cut or look into has one."""
    inner: Any = bare(model)
    return {
        name: module
        for name, module in inner.base_model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == inner.config.num_hidden_layers
        and not any(part.isdigit() for part in name.split("."))
    }


def layers(model: nn.Module) -> nn.ModuleList:
    """The list of transformer layers. UserError where there is not exactly one list of the configured depth."""
    inner: Any = bare(model)
    found = list(stacks(model).values())
    if len(found) != 1:
        kind, depth = inner.config.model_type, inner.config.num_hidden_layers
        raise UserError(f"cannot look inside a {kind} model: looked for one list of {depth} layers, found {len(found)}")
    return found[0]


@dataclass(frozen=True)
class Projections:
    """The linear maps that make one layer's queries, keys and values."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear


def projections(model: nn.Module) -> list[Projections]:
    """Those of every layer. UserError for an architecture that keeps them otherwise (ModernBERT, DeBERTa)."""
    inner: Any = bare(model)
    return [_of_layer(layer, inner.config.model_type) for layer in layers(inner)]


def _of_layer(layer: nn.Module, kind: str) -> Projections:
    found = {}
    for role, endings in PROJECTIONS.items():
        named = [module for name, module in layer.named_modules() if name.rsplit(".", 1)[-1] in endings]
        # MobileBERT's bottleneck has modules of other names, and one query, key and value each.
        linear = [module for module in named if isinstance(module, nn.Linear)]
        if len(linear) != 1:
            raise UserError(
                f"cannot see the attention of a {kind} model: its layers have {len(linear)} '{role}' projections; "
                "BERT, RoBERTa, ELECTRA, DistilBERT and MobileBERT have one"
            )
        found[role] = linear[0]
    return Projections(**found)
