"""Which paths an output may have: one of its own, apart from all that a command reads and from raykd's own folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from raykd.errors import UserError
from raykd.manifest import CARD
from raykd.paths import expand_home, relation

if TYPE_CHECKING:
    from raykd.workspace import Workspace

Inputs = Mapping[str, str | Path | None]

NAME_BYTES = 255 - 16  # of a file on every common file system, without room for a number behind the name
WHOLES = {"sweep.json": "sweep", CARD: "model"}  # what a folder is that holds such a file: nothing else lies in it


def check_path(out: str | Path, inputs: Inputs, workspace: Workspace | None, flag: str = "out") -> Path:
    """Check the path of an output.

    Args:
        out: As it was typed.
        inputs: What the output is made from, by what it is ("teacher"): files and folders. Words that are neither, such
            as a name of the hub, are passed over.
        workspace: Whose own folders no output may take.
        flag: By which it was given.

    Returns:
        The absolute path, ``~`` expanded.

    Raises:
        UserError: It is, holds or lies in an input or a folder of the workspace, it is or holds the current folder or
            the home folder, it is a link, or it cannot be made.
    """
    path = expand_home(out)
    if "\0" in str(out) or path.name in ("", ".."):
        raise UserError(f"{flag} '{out}': name a folder or a file of its own")
    path = path.absolute()
    if ".." in path.parts:
        path = Path(os.path.realpath(path.parent), path.name)
    try:
        if problems := [*_touched(path, inputs, workspace), *_surrounded(path, workspace)]:
            raise UserError(*(f"{flag} '{out}' {problem}" for problem in problems))
        above = next(part for part in path.parents if os.path.lexists(part))
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise UserError(f"{flag} '{out}' cannot be made: '{above}' is no folder that can be written to")
        if long := [part for part in path.parts if len(os.fsencode(part)) > NAME_BYTES]:
            raise UserError(f"{flag}: '{long[0]}' is too long for a name")
        if path.is_symlink():
            raise UserError(f"{flag} '{out}' is a link to '{os.readlink(path)}', and stays one: name what is no link")
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UserError(f"{flag} '{out}' cannot be made: {error.strerror}") from error
    return path


def _touched(path: Path, inputs: Inputs, workspace: Workspace | None) -> list[str]:
    """How the output would touch what is read, or what raykd keeps."""
    problems = []
    for what, value in inputs.items():
        if not value:
            continue
        source = expand_home(value)
        if os.path.lexists(source) and (found := relation(path, source)):
            problems.append(f"{found} the {what} '{value}', which is read: name another place")
    for what, folder in () if workspace is None else workspace.closed.items():
        if found := relation(path, folder):
            problems.append(f"{found} '{folder}', where raykd keeps {what}: name another place")
    for above in () if problems else Path(os.path.realpath(path)).parents:
        whole = next((what for name, what in WHOLES.items() if (above / name).is_file()), None)
        if whole is not None:
            return [f"lies in the {whole} '{above}': name another place"]
    return problems


def _surrounded(path: Path, workspace: Workspace | None) -> list[str]:
    """How the output would replace a folder that other things lie in."""
    folders = {} if workspace is None else dict(workspace.shelves)
    with suppress(UserError):  # there is none
        folders["your home folder"] = expand_home("~")
    with suppress(OSError):  # it was removed
        folders["the current folder"] = Path.cwd()
    relations = {what: relation(path, folder) for what, folder in folders.items()}
    return [
        f"{found} {what} ('{folders[what]}'): name a folder of its own"
        for what, found in relations.items()
        if found in ("is", "holds")
    ]
