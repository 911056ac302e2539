"""A sweep's own space as it was resolved, so that a resume searches the very same one."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter

from raykd.errors import UserError
from raykd.search.space_types import Space

KEPT = "space.json"
_SPACE = TypeAdapter(Space)


def keep(space: Space, folder: Path) -> None:
    """Write ``space.json`` in a sweep's folder, atomically."""
    temporary = folder / f"{KEPT}.tmp"
    temporary.write_bytes(_SPACE.dump_json(space, indent=1))
    os.replace(temporary, folder / KEPT)


def kept(folder: Path) -> Space:
    """The space of the sweep in `folder`; UserError if it is not there, or damaged."""
    if not (folder / KEPT).is_file():
        raise UserError(f"sweep in {folder}: it holds no {KEPT}, so it cannot be resumed")
    try:
        return _SPACE.validate_json((folder / KEPT).read_bytes())
    except (OSError, ValueError) as error:  # pydantic's are ValueErrors
        raise UserError(f"sweep in {folder}: its {KEPT} is damaged: {error}") from error
