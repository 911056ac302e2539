"""A masked language model from a folder, with the names of what was not stored there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from raykd.errors import UserError
from raykd.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


def load_language(folder: Path, config: PreTrainedConfig) -> tuple[PreTrainedModel, set[str]]:
    """The masked language model in a checked folder (see source.resolve), float32, on the CPU, in eval mode.

    Also the names of the weights that are not stored; they are drawn from torch's default generator. Weights are read
    from safetensors only, and no remote code. UserError where they cannot be read.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForMaskedLM

    try:
        with quiet(), torch.device("cpu"):
            model, info = AutoModelForMaskedLM.from_pretrained(
                str(folder),
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"'{folder}': the weights cannot be loaded: {error}") from error
    return model, set(info["missing_keys"])


def check_head(missing: set[str], folder: Path) -> None:
    """UserError if any weight of the language model is not stored, as after fine-tuning on a task."""
    if missing:
        raise UserError(
            f"'{folder}' is no complete masked language model: {', '.join(sorted(missing)[:3])} and so on are not "
            "stored. A fine-tuned classifier has lost its head for that: name the pretrained encoder it came from"
        )
