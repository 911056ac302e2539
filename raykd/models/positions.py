"""How many tokens an encoder takes: the positions that it has, less those that it leaves out."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from raykd.errors import UserError
from raykd.models.classifier import load_config
from raykd.models.outline import encoder_outline
from raykd.models.tokenizer import load_tokenizer

TABLES = ("position_embeddings", "embed_positions")  # the last part of their names; RoFormer says the second


def longest_input(folder: Path) -> int | None:
    """The most tokens that the model in `folder` takes.

    Args:
        folder: A checked folder (see source.resolve).

    Returns:
        None for an encoder whose positions are relative, which has no limit.
    """
    config = load_config(folder)
    fields = vars(config)
    encoder = encoder_outline(config).base_model
    tables = [module for name, module in encoder.named_modules() if name.rsplit(".", 1)[-1] in TABLES]
    limits = [limit for module in tables if (limit := _rows(module)) is not None]
    if limits:
        # Some tables (Nystroemformer's, YOSO's, MRA's) have rows that no position reaches.
        return min([*limits, int(fields.get("max_position_embeddings", limits[0]))])
    rotary = any(name.startswith("rope") or name.endswith("rope_theta") for name in fields)
    return int(fields["max_position_embeddings"]) if rotary and "max_position_embeddings" in fields else None


def _rows(table: nn.Module) -> int | None:
    """The positions that a table of them holds; None for a module that is none.

    I-BERT's is an embedding of a kind of its own. One with an index for padding (RoBERTa's kind) begins to count behind
    it.
    """
    weight = dict(table.named_parameters(recurse=False)).get("weight")
    if weight is None or weight.ndim != 2:
        return None
    padding = vars(table).get("padding_idx")
    return len(weight) - (0 if padding is None else int(padding) + 1)


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
