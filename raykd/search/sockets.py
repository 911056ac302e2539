"""A folder for Ray's sockets: their paths may be no longer than the operating system's 107 bytes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from raykd.errors import UserError

LONGEST = 103 if sys.platform == "darwin" else 107  # bytes of a socket's path
BELOW = "ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.0"  # what Ray adds to its folder
SHORT = "/tmp"


def check_sockets(say: Callable[[str], object]) -> None:
    """Say it where Ray's folder has to be another than the one that TMPDIR names.

    Raises:
        UserError: no folder is short enough.
    """
    if (named := _named()) is None:
        return
    if not os.access(SHORT, os.W_OK):
        raise UserError(
            f"{named}: too long for Ray, whose sockets' paths may have {LONGEST} bytes, and {SHORT} cannot be written "
            f"to: set it to a folder of at most {LONGEST - len(BELOW) - 1} bytes"
        )
    say(f"{named}: too long for Ray's sockets ({LONGEST} bytes with all that Ray adds): they go to {SHORT} instead")


@contextmanager
def temporary_folder() -> Iterator[str | None]:
    """A short folder for Ray while the block runs, this user's alone; None where its own choice is short enough."""
    if _named() is None:
        yield None
        return
    folder = tempfile.mkdtemp(prefix="raykd-", dir=SHORT)
    try:
        yield os.path.join(folder, "ray")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _named() -> str | None:
    """The variable, with its value, that names a folder which is too long; None if there is none."""
    for name in ("RAY_TMPDIR", "TMPDIR"):  # the order in which Ray looks
        if folder := os.environ.get(name):
            path = os.path.join(os.path.abspath(folder), BELOW)
            return f"{name}={folder}" if len(os.fsencode(path)) > LONGEST else None
    return None
