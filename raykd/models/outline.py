"""A model without weights: what a configuration describes, to look at names and sizes before anything is loaded."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# Far beyond any encoder in use: more is a mistake, and would be made layer by layer until memory ends.
MOST = {"num_hidden_layers": 1_000, "hidden_size": 1_000_000, "num_attention_heads": 100_000, "vocab_size": 100_000_000}


def check_sizes(config: PreTrainedConfig) -> None:
    """UserError with every size of a configuration that is no whole number, or out of all reason."""
    problems = []
    for name, most in MOST.items():
        size: Any = getattr(config, name, None)  # FNet has no heads, and cannot be planned with
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= most:
            problems.append(f"{name} is {size!r}: a whole number from 1 to {most:,} is wanted")
    if problems:
        raise UserError(*problems)


def encoder_outline(config: PreTrainedConfig) -> PreTrainedModel:
    """The encoder that `config` describes, on the meta device; UserError where there is none."""
    kind: Any = type(config)
    return _encoder(config.to_json_string(use_diff=False), kind)


@lru_cache(maxsize=32)
def _encoder(config: str, kind: Any) -> PreTrainedModel:
    from transformers import AutoModel

    try:
        described = kind.from_dict(json.loads(config))
    except Exception as error:  # of values that contradict each other: the validators' own
        raise UserError(f"no model can be made of this configuration: {error}") from error
    return outline(AutoModel, described)


def outline(kind: Any, config: PreTrainedConfig) -> PreTrainedModel:
    """The model that the auto class `kind` makes of `config`, on the meta device; UserError where it makes none."""
    import torch

    try:
        with torch.device("meta"):
            model: PreTrainedModel = kind.from_config(config)
    except Exception as error:  # whatever the architecture stumbles over
        raise UserError(f"no {config.model_type} model can be made of this configuration: {error}") from error
    return model
