"""Checkpoints from which a run goes on bit for bit on CPU: written whole, sealed, checked before use, two kept.

Tensors are safetensors, the rest is JSON: nothing here can run code when it is loaded. A checkpoint is written beside
its final place and renamed into it, so a run that dies while writing leaves the previous one as it was. ``state.json``
is written last and holds the size and SHA-256 of ``state.safetensors`` and of its own content: a disk that changes a
bit costs one checkpoint, not the run.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from raykd.knowledge.sealed import sync as _sync
from raykd.manifest import remove_matching
from raykd.train.state import State

PREFIX = "checkpoint-"
KEPT = 2
TENSORS, ABOUT = "state.safetensors", "state.json"
CHECKPOINT = re.compile(PREFIX + r"\d{8,}")
UNFINISHED = re.compile(r"tmp-[0-9a-f]{32}")
FILES = re.compile("|".join(map(re.escape, (TENSORS, ABOUT))))
SEAL = ("tensors_bytes", "tensors_sha256", "sha256")

log = logging.getLogger(__name__)


class Damaged(Exception):
    """A checkpoint is not what was written. Says which file, and what was expected and found."""


def scratch(folder: Path, *settings: object) -> Path:
    """Where a run that will leave `folder` keeps its checkpoints: with other settings it is another place, so that only
    the same run goes on from them."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    return folder.with_name(f".{folder.name}.{digest}.run")


def save(folder: Path, state: State) -> Path:
    """Write ``folder/checkpoint-<step>``; once it stands the one before is kept too, all others go.

    Raises OSError where the disk is full or fails, and leaves nothing half-written.
    """
    final = folder / f"{PREFIX}{state.about['step']:08d}"
    temporary = folder / f"tmp-{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
        _write(temporary, state)
        if final.exists():
            remove_matching(final, FILES)
        os.replace(temporary, final)
        _sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)  # a full disk is not helped by half a checkpoint
        raise
    standing = checkpoints(folder)
    older = [path for path in standing if path.name < final.name]
    for other in standing:
        if other != final and other not in older[1 - KEPT :]:
            remove_matching(other, FILES)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, the oldest first."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if CHECKPOINT.fullmatch(path.name) and path.is_dir())


def _write(temporary: Path, state: State) -> None:
    tensors = temporary / TENSORS
    try:
        save_file(state.tensors, tensors)
    except SafetensorError as error:  # what the operating system said is in its text only
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(tensors)) from error
    _sync(tensors)  # on the disk before the rename is, or a machine's crash could leave it empty
    about = {**state.about, "tensors_bytes": tensors.stat().st_size, "tensors_sha256": _digest(tensors)}
    (temporary / ABOUT).write_text(json.dumps({**about, "sha256": _digest_of(about)}))
    _sync(temporary / ABOUT)
    _sync(temporary)


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`, or None; never an error for one that is damaged.

    Damaged ones are named in a warning and removed, leftovers of an interrupted write are swept.
    """
    for leftover in folder.glob("tmp-*"):
        if UNFINISHED.fullmatch(leftover.name):
            shutil.rmtree(leftover, ignore_errors=True)
    found = checkpoints(folder)[::-1]
    for number, checkpoint in enumerate(found):
        try:
            verify(checkpoint)
        except Damaged as damage:
            older = found[number + 1 :]
            instead = f"falling back to {older[0].name}" if older else "none is left, the run starts from step 0"
            log.warning("%s is damaged: %s; %s", checkpoint, damage, instead)
            remove_matching(checkpoint, FILES)
        else:
            return checkpoint
    return None


def verify(checkpoint: Path) -> None:
    """Raises Damaged unless both files are what was written."""
    try:
        about = json.loads((checkpoint / ABOUT).read_text(encoding="utf-8"))
        size, tensors, own = (about.pop(name) for name in SEAL)
    except OSError as error:
        raise Damaged(f"{ABOUT}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{ABOUT} is cut short or no JSON with a seal ({error})") from error
    found = _digest_of({**about, "tensors_bytes": size, "tensors_sha256": tensors})
    if found != own:
        raise Damaged(f"{ABOUT}: expected SHA-256 {own}, found {found}")
    try:
        length, found = (checkpoint / TENSORS).stat().st_size, _digest(checkpoint / TENSORS)
    except OSError as error:
        raise Damaged(f"{TENSORS}: {error.strerror}") from error
    if (length, found) != (size, tensors):
        raise Damaged(f"{TENSORS}: expected {size} bytes of SHA-256 {tensors}, found {length} of {found}")


def load(checkpoint: Path) -> State:
    """What is in `checkpoint`, which `latest` found whole."""
    return State(load_file(checkpoint / TENSORS), json.loads((checkpoint / ABOUT).read_text(encoding="utf-8")))


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest_of(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
