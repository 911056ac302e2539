"""Inputs that many processes of a node read: fetched once a node, kept for the next time."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from raykd.errors import UserError
from raykd.storage.folders import fetch
from raykd.storage.urls import check_url, is_url, split


def at_hand(place: str) -> Path:
    """A folder of this machine with what `place` holds: the path itself, or this node's copy of a URL.

    What is at a URL is taken to stay as it is, so a copy is never fetched again. Raises UserError where there is
    nothing.
    """
    if not is_url(place):
        return Path(place)
    check_url(place)
    scheme, bucket, path = split(place)
    digest = hashlib.sha256(f"{scheme}://{bucket}/{path}".encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", path.split("/")[-1])[:60]
    cache = cache_folder()
    copy = cache / f"{digest}-{readable}"
    if copy.is_dir():
        return copy
    with FileLock(cache / f"{digest}.lock"):  # the system opens the lock of a process that is killed
        if not copy.is_dir():
            for leftover in cache.glob(f"tmp-{copy.name}-*"):  # of a process that was killed while it fetched
                shutil.rmtree(leftover, ignore_errors=True)
            fetch(place, copy)
    return copy


def cache_folder() -> Path:
    """RAYKD_CACHE, or a folder of this user's among the temporary ones, which nobody else may have put there."""
    named = os.environ.get("RAYKD_CACHE")
    folder = Path(named).absolute() if named else Path(tempfile.gettempdir(), f"raykd-cache-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the node cache {folder} cannot be made: {error.strerror}; set RAYKD_CACHE") from error
    if not named and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise UserError(f"the node cache {folder} belongs to somebody else; set RAYKD_CACHE to a folder of your own")
    return folder
