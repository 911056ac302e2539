"""A masked language model from a folder, with the names of what was not stored there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from raykd.errors import UserError
from raykd.models.classifier import read_weights

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


def load_language(folder: Path, config: PreTrainedConfig) -> tuple[PreTrainedModel, set[str]]:
    """The masked language model in a checked folder (see source.resolve), float32, on the CPU, in eval mode.

    Also the names of the weights that are not stored; they are drawn from torch's default generator. Weights are read
    from safetensors only, and no remote code. UserError where they cannot be read.
    """
    from transformers import AutoModelForMaskedLM

    return read_weights(AutoModelForMaskedLM, folder, config)


def check_head(missing: set[str], folder: Path) -> None:
    """UserError if any weight of the language model is not stored, as after fine-tuning on a task."""
    if missing:
        raise UserError(
            f"'{folder}' is no complete masked language model: {', '.join(sorted(missing)[:3])} and so on are not "
            "stored. A fine-tuned classifier has lost its head for that: name the pretrained encoder it came from"
        )
