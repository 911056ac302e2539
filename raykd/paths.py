"""Paths as people write them, and how one path lies to another."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from raykd.errors import UserError

Relation = Literal["is", "holds", "lies in"]
Identity = tuple[int, int] | str  # device and inode of what is there, else the path

LINKS = 40  # that are followed, one after the other, as on Linux
LOCAL = re.compile(r"(sqlite(?:\+\w+)?:///|file:(?://)?/?|)(~.*)", re.DOTALL)  # addresses of files that begin with ~


def expand_home(path: str | Path) -> Path:
    """`path` with the home folder that a leading ``~`` or ``~user`` stands for.

    Args:
        path: as it was typed, or as it stands in a variable.

    Returns:
        The path, relative if it was.

    Raises:
        UserError: there is no such user, and no file of that name either.
    """
    text = str(path)
    if not text.startswith("~"):
        return Path(path)
    expanded = os.path.expanduser(text)
    if expanded.startswith("~") and not os.path.lexists(text):
        raise UserError(f"'{text}': there is no user '{text.split('/')[0][1:]}', nor a file of that name")
    return Path(expanded)


def expand_address(address: str) -> str:
    """`address` of a database or a folder, with the home folder in place of ``~``: in ``sqlite:///~/x.db``, in
    ``file:~/x`` and in a bare path. Others are left as they are.

    Raises:
        UserError: there is no such user.
    """
    match = LOCAL.fullmatch(address)
    if match is None:
        return address
    path = str(expand_home(match[2]))
    return f"file://{path}" if match[1].startswith("file:") else f"{match[1]}{path}"


def relation(path: Path, other: Path) -> Relation | None:
    """How `path` lies to `other`, which exists: by what is on the disk, so links, ``..``, capitals on a file system
    that does not tell them apart, and several mounts of one folder do not hide it.

    Args:
        path: a file or folder that may not exist yet.
        other: a file, a folder, or a link; a link counts where it stands and where it leads to.

    Returns:
        What `path` does to `other`, None where they lie apart.
    """
    own, own_spot = _line(path), _spot(path)
    for step in _steps(other):
        spot = _spot(step)
        above = _line(spot.parent)
        if spot == own_spot:
            return "is"
        if own[0] in above:
            return "holds"
    theirs = _line(other)
    if theirs[0] == own[0]:
        return "is"
    return "lies in" if theirs[0] in own[1:] else None


def _steps(path: Path) -> list[Path]:
    """`path`, and where it leads to link by link."""
    steps = [path]
    while len(steps) < LINKS and steps[-1].is_symlink():
        steps.append(steps[-1].parent / os.readlink(steps[-1]))
    return steps


def _spot(path: Path) -> Path:
    """Where the last part of `path` stands, links before it followed."""
    path = path.absolute()
    if path.name in ("", ".."):
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def _line(path: Path) -> list[Identity]:
    """`path` and all folders above it, links followed."""
    real = Path(os.path.realpath(path))
    return [_identity(part) for part in (real, *real.parents)]


def _identity(path: Path) -> Identity:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return str(path)
    return stat.st_dev, stat.st_ino
