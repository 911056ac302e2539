"""Saves a student as a plain transformers folder, all of it or nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError
from raykd.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CARD = "raykd.json"


def save_student(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    card: Mapping[str, Any] | None = None,
) -> None:
    """Write model (safetensors) and tokenizer, to be read by transformers without raykd.

    card: how the student was made, written as raykd.json. Written beside `folder` first and then renamed; what a killed
    run left there is swept. One writer a folder. A student that is already there is replaced.
    Raises UserError if `folder` holds anything else.
    """
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    if folder.exists() and not _replaceable(folder):
        raise UserError(f"'{folder}' is there already and is no saved model (no config.json); name another place")
    for left_over in (new, old):
        shutil.rmtree(left_over, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        with quiet():
            model.save_pretrained(new)
            tokenizer.save_pretrained(new)
        if card is not None:
            text = json.dumps(dict(card), indent=2, default=str, ensure_ascii=False)
            (new / CARD).write_text(text + "\n", encoding="utf-8")
        # A folder cannot be renamed over a full one, so the old one steps aside first.
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "config.json").is_file() or not any(folder.iterdir()))
