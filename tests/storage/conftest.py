"""Stores for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raykd.storage import patience, places
from tests.services.fixtures import s3
from tests.storage.fake import Store, use

__all__ = ["s3"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """What ``s3://bucket/`` leads to here, with hardly a wait between attempts."""
    monkeypatch.setattr(patience, "SHORTEST_S", 0.001)
    monkeypatch.setattr(patience, "LONGEST_S", 0.01)
    monkeypatch.setattr(patience, "_away", {})
    fake = Store(tmp_path / "store")
    use(fake, monkeypatch.setattr)
    yield fake
    places._connected.cache_clear()


@pytest.fixture(params=["file", "s3"])
def base(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> str:
    """An empty place: a shared file system's folder, and one in an object store."""
    return (tmp_path / "shared disk").as_uri() if request.param == "file" else "s3://bucket/home"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
