"""A folder that the main worker wrote, on every worker's disk: a group may span machines that share none."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from raykd.train.world import World


def everywhere(folder: Path, world: World) -> bool:
    """Whether the main worker has `folder`, and if so, give its files to those who have not. It has no subfolders."""
    if not world.agree(folder.is_dir()):
        return False
    if world.anyone(not folder.is_dir()):
        mine = {file.name: file.read_bytes() for file in folder.iterdir()} if world.main else {}
        _, files = world.give({}, mine)
        if not folder.is_dir():
            _write(folder, files)
    return True


def _write(folder: Path, files: dict[str, bytes]) -> None:
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    for name, content in files.items():
        (temporary / name).write_bytes(content)
    try:
        os.replace(temporary, folder)
    except OSError:  # another worker of this machine was first
        shutil.rmtree(temporary, ignore_errors=True)
        if not folder.is_dir():
            raise
