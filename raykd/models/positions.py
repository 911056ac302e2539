"""How many tokens an encoder takes: the positions that it has, less those that it leaves out."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from raykd.errors import UserError
from raykd.models.classifier import load_config
from raykd.models.outline import encoder_outline
from raykd.models.tokenizer import load_tokenizer


def longest_input(folder: Path) -> int | None:
    """The most tokens that the model in `folder` takes.

    Args:
        folder: A checked folder (see source.resolve).

    Returns:
        None for an encoder whose positions are relative, which has no limit.
    """
    config = load_config(folder)
    encoder = encoder_outline(config).base_model
    found = [
        module
        for name, module in encoder.named_modules()
        if name.rsplit(".", 1)[-1] == "position_embeddings" and isinstance(module, nn.Embedding)
    ]
    if found:
        # One with an index for padding (RoBERTa's kind) begins to count behind it.
        return min(
            module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1) for module in found
        )
    fields = vars(config)
    rotary = any(name.startswith("rope") or name.endswith("rope_theta") for name in fields)
    return int(fields["max_position_embeddings"]) if rotary and "max_position_embeddings" in fields else None


def check_length(role: str, folder: Path, max_length: int) -> None:
    """Raise UserError where rows of `max_length` tokens are more than the model in `folder` has positions for.

    Args:
        role: What the model is for, in the message.
        folder: Its folder.
        max_length: Tokens that rows are cut to.
    """
    most = longest_input(folder)
    said = load_tokenizer(folder).model_max_length
    if most is not None and max_length > most:
        most = min(most, said)
        raise UserError(
            f"max-length is {max_length}: {role} '{folder}' has positions for {most} tokens, so it may be 1 to {most}"
        )
