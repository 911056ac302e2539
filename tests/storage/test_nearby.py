"""What is read at random is copied to the node's own disk where it lies on a network's file system."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from raykd import storage
from raykd.storage import copies


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to copy, and a cache to copy it to."""
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "shared" / "word_distances-12-r20-0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "shard-00000.bin").write_bytes(b"x" * 1000)
    return folder


def mounted(monkeypatch: pytest.MonkeyPatch, **kinds: str) -> None:
    """Mounts by path; the rest of the machine is ext4."""
    mounts = [SimpleNamespace(mountpoint=path, fstype=kind) for path, kind in {"/": "ext4", **kinds}.items()]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "lustre"])
def test_a_shared_folder_is_copied_once(shelf: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted(monkeypatch, **{str(shelf.parent): kind})
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: storage.nearby(str(shelf)), range(8)))
    [copy] = found
    assert copy.parent == storage.cache_folder()
    assert copy.name.endswith(shelf.name)
    assert (copy / "shard-00000.bin").read_bytes() == b"x" * 1000
    (shelf / "shard-00000.bin").unlink()
    assert storage.nearby(str(shelf)) == copy


@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "tmpfs", "fuse.fuse-overlayfs"])
def test_a_folder_of_this_machine_stays_where_it_is(shelf: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted(monkeypatch, **{str(shelf.parent): kind})
    assert storage.nearby(str(shelf)) == shelf


def test_the_innermost_mount_counts(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, **{str(shelf.parent.parent): "nfs", str(shelf.parent): "ext4"})
    assert not copies.on_network(shelf)
    mounted(monkeypatch, **{str(shelf.parent.parent): "ext4", str(shelf.parent): "nfs"})
    assert copies.on_network(shelf)


def test_a_copy_that_fails_leaves_nothing(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, **{str(shelf.parent): "nfs"})

    def full(source: Path, target: Path) -> None:
        Path(target).mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies.shutil, "copytree", full)
    with pytest.raises(OSError, match="No space"):
        storage.nearby(str(shelf))
    assert not [path for path in storage.cache_folder().iterdir() if path.is_dir()]


def test_a_url_is_fetched(shelf: Path) -> None:
    copy = storage.nearby(shelf.as_uri())
    assert copy != shelf
    assert (copy / "shard-00000.bin").stat().st_size == 1000
