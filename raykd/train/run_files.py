"""What a run leaves in its folder, by name: this is removed when the run is over, and what a person put there stays."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from raykd import storage
from raykd.manifest import remove_listed, remove_matching
from raykd.train.checkpoint import CHECKPOINT, FILES, UNFINISHED
from raykd.train.claim import CLAIM
from raykd.train.stages import BEST

STUDENT = "student"  # the trained student, a plain save_pretrained folder
REPORTS = "reports.jsonl"
LINK = re.compile(r"link-\d+")  # an earlier run of a chain, a folder of the same kind
LOOSE = re.compile(rf"{BEST}\.(safetensors|json|tmp)|{re.escape(REPORTS)}|{CLAIM}")


def clear_run(folder: Path) -> None:
    """Remove what a run left in `folder` of this machine, and the folder where nothing else lies in it."""
    clear_contents(folder)
    with suppress(OSError):
        folder.rmdir()


def clear_contents(folder: Path, *, keep: frozenset[str] = frozenset()) -> None:
    """Remove what a run left in `folder` of this machine, but for the names to `keep`; the folder stays.

    Args:
        folder: With what is left of a run; fine if there is none.
        keep: Names of files and folders in it.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in keep or path.is_symlink():
            continue
        if path.is_file() and LOOSE.fullmatch(path.name):
            path.unlink(missing_ok=True)
        elif path.is_dir():
            _remove_folder(path)


def clear_trial(place: str, *, keep: frozenset[str] = frozenset()) -> None:
    """The same for a trial's folder of this machine or in an object store, where whole names count."""
    if not storage.is_url(place):
        clear_contents(Path(place), keep=keep)
        return
    for name in storage.names(place):
        if name not in keep and (name == STUDENT or any(p.fullmatch(name) for p in (CHECKPOINT, LINK, LOOSE))):
            storage.remove(storage.join(place, name))


def _remove_folder(path: Path) -> None:
    if path.name == STUDENT:
        remove_listed(path)
    elif CHECKPOINT.fullmatch(path.name):
        remove_matching(path, FILES)
    elif UNFINISHED.fullmatch(path.name):
        shutil.rmtree(path, ignore_errors=True)
    elif LINK.fullmatch(path.name):
        clear_contents(path)
    else:
        return
    with suppress(OSError):  # a person's files lie in it, or it has gone
        path.rmdir()
