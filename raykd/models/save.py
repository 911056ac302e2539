"""Saves a student as a plain transformers folder, all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError
from raykd.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CARD = "raykd.json"
NAME_BYTES = 255  # of a file, on every common file system


def save_student(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    card: Mapping[str, Any] | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write model (safetensors) and tokenizer, to be read by transformers without raykd.

    card: how the student was made, written as raykd.json. extra: further files by name. Written beside `folder` first
    and then renamed; what a killed run left there is swept. One writer a folder. A student that is already there is
    replaced. Raises UserError if `folder` holds anything else.
    """
    place_for(folder)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        with quiet():
            model.save_pretrained(new)
            tokenizer.save_pretrained(new)
        if card is not None:
            text = json.dumps(dict(card), indent=2, default=str, ensure_ascii=False)
            (new / CARD).write_text(text + "\n", encoding="utf-8")
        for name, content in (extra or {}).items():
            (new / name).write_bytes(content)
        move_into(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def place_for(out: str | Path) -> Path:
    """The absolute folder that a model will be saved in, asked for before it is trained.

    UserError where something else than a saved model is there, or where the path names no folder of its own.
    """
    folder = Path(out).expanduser().absolute()
    if not folder.name or folder.name == ".." or folder == Path.cwd() or "\0" in str(out):
        raise UserError(f"'{out}' cannot be replaced by a model: name a folder of its own")
    try:
        above = next(place for place in folder.parents if os.path.lexists(place))
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise UserError(f"'{folder}' cannot be made: '{above}' is no folder that can be written to")
        if long := [part for part in folder.parts if len(os.fsencode(part)) > NAME_BYTES]:
            raise UserError(f"'{long[0]}' is too long for a name")
        if folder.is_symlink() and not folder.exists():
            raise UserError(f"'{folder}' is a link that leads nowhere; name another place")
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UserError(f"'{folder}' cannot be made: {error.strerror}") from error
    if folder.exists() and not _replaceable(folder):
        raise UserError(f"'{folder}' is there already and is no saved model (no config.json); name another place")
    return folder


def move_into(new: Path, folder: Path) -> None:
    """Put the model folder `new` in the place of `folder`; whatever is there besides a model is never removed."""
    place_for(folder)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():  # a folder cannot be renamed over a full one, so the old one steps aside first
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "config.json").is_file() or not any(folder.iterdir()))
