"""The content of sound files, to be spoilt: those that base.py writes."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tests.fuzz import base


@cache
def _written() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "base"
        base.lay_out(folder)
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _under(folder: str) -> dict[str, bytes]:
    return {
        name.removeprefix(folder + "/"): content
        for name, content in _written().items()
        if name.startswith(folder + "/")
    }


def teacher_files() -> dict[str, bytes]:
    """A teacher's folder, by file name."""
    return _under("teacher")


def sweep_files() -> dict[str, bytes]:
    """A sweep's folder, by file name."""
    return _under("sweep")
