"""A node's own copies of what lies elsewhere: made once, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
from filelock import FileLock

from raykd.errors import UserError
from raykd.paths import expand_home

# File systems whose pages come over a network; what FUSE serves does as a rule, but for these.
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "ceph", "gpfs", "beegfs", "glusterfs", "afs", "9p"}
)
LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.portal"})


def cache_folder() -> Path:
    """RAYKD_CACHE, or a folder of this user's among the temporary ones, which nobody else may have put there."""
    named = os.environ.get("RAYKD_CACHE")
    folder = expand_home(named).absolute() if named else Path(tempfile.gettempdir(), f"raykd-cache-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the node cache {folder} cannot be made: {error.strerror}; set RAYKD_CACHE") from error
    if not named and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise UserError(f"the node cache {folder} belongs to somebody else; set RAYKD_CACHE to a folder of your own")
    return folder


def on_network(folder: Path) -> bool:
    """Whether `folder` lies on a file system that other machines share."""
    resolved = folder.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    mount = next((parent for parent in (resolved, *resolved.parents) if parent in mounts), None)
    kind = mounts[mount] if mount is not None else ""
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def copied(name: str, copy_to: Callable[[Path], None]) -> Path:
    """This node's copy of what `name` stands for, made by `copy_to` if it is not there yet; by one process."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", name.split("/")[-1])[-120:]
    cache = cache_folder()
    copy = cache / f"{digest}-{readable}"
    if copy.is_dir():
        return copy
    with FileLock(cache / f"{digest}.lock"):  # the system opens the lock of a process that is killed
        if not copy.is_dir():
            for leftover in cache.glob(f"tmp-{copy.name}-*"):  # of a process that was killed while it fetched
                shutil.rmtree(leftover, ignore_errors=True)
            copy_to(copy)
    return copy


def copy_tree(folder: Path, copy: Path) -> None:
    temporary = copy.with_name(f"tmp-{copy.name}-{uuid.uuid4().hex}")
    try:
        shutil.copytree(folder, temporary)
        temporary.rename(copy)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
