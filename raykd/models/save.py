"""Saves a student as a plain transformers folder, all of it or nothing."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from raykd.manifest import CARD, write_manifest
from raykd.models.quiet import quiet
from raykd.outputs import OutputFolder, folder_at, put_folder, staged

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["CARD", "save_student"]


def save_student(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path | OutputFolder,
    *,
    card: Mapping[str, Any] | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Write model (safetensors) and tokenizer, to be read by transformers without raykd.

    Written beside the folder first and then renamed, so that it appears whole or not at all.

    Args:
        model: The network.
        tokenizer: Its tokenizer.
        folder: Where to, as `check_folder` gave it; or a path, where a model that the same command made, as its card
            says, is replaced.
        card: How the model was made, written as raykd.json together with a list of all files. Without one nothing
            proves later that raykd made the folder.
        extra: Further files by name.

    Returns:
        Where it lies: beside an `OutputFolder` that somebody has filled meanwhile.

    Raises:
        UserError: A path holds anything else than such a model.
        OSError: The disk is full, or fails; then what was there is as it was.
    """
    about = card or {}
    if isinstance(folder, Path):
        target = folder_at(folder.absolute(), f"'{folder}'", command=str(about.get("command", "")))
    else:
        target = folder
    with staged(target.path) as new:
        with quiet(), disk_errors():
            model.save_pretrained(new)
            tokenizer.save_pretrained(new)
        for name, content in (extra or {}).items():
            (new / name).write_bytes(content)
        if card is not None:
            write_manifest(new, about)
        return put_folder(new, target)


@contextmanager
def disk_errors() -> Iterator[None]:
    """An error of the disk is an OSError also where safetensors raises its own: the system's word is in its text."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error
