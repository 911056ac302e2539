"""A sweep's own space as it was resolved, so that a resume searches the very same one."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter

from raykd.search.space_types import Space

KEPT = "space.json"
_SPACE = TypeAdapter(Space)


def keep(space: Space, folder: Path) -> None:
    """Write ``space.json`` in a sweep's folder, atomically."""
    temporary = folder / f"{KEPT}.tmp"
    temporary.write_bytes(_SPACE.dump_json(space, indent=1))
    os.replace(temporary, folder / KEPT)


def kept(folder: Path) -> Space:
    """The space of the sweep in `folder`."""
    return _SPACE.validate_json((folder / KEPT).read_bytes())
