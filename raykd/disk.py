"""Whether a disk has room for what is about to be trained."""

from __future__ import annotations

import shutil
from pathlib import Path

from raykd.errors import NoRoom

WEIGHT = 4 * 3  # bytes of a weight in a checkpoint: itself and AdamW's two moments


def require_room(folder: Path, weights: int) -> None:
    """Look before training whether a model of so many weights can be kept beside `folder`, with one checkpoint.

    Args:
        folder: where it will be saved; it need not be there.
        weights: their number.

    Raises:
        NoRoom: it cannot.
    """
    above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free, wanted = shutil.disk_usage(above).free, WEIGHT * weights
    if free < wanted:
        raise NoRoom(above, f"training needs about {_size(wanted)} there, and {_size(free)} are free")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
