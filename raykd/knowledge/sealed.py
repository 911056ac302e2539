"""One file of numbers, sealed: raw numbers first, then a seal that says what they are and their CRC-32.

A file is written under another name and renamed, so one that has its final name is whole. What a disk does to it later
is found by its size, its seal or its checksum.
"""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

MAGIC = b"raykdks1"
SEAL = struct.Struct("<8s16sQQII")  # magic, key, shard, bytes of numbers, their CRC-32, CRC-32 of the seal so far
BLOCK = 1 << 20
TEMPORARY = "tmp-"


def write(file: Path, key: str, shard: int, size: int, rows: Iterable[np.ndarray]) -> None:
    """Writes `rows`, `size` bytes together; another writer of the same file at the same time does no harm.

    Raises OSError where the disk is full or fails, ValueError for rows of another size; nothing is left of either.
    """
    temporary = file.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as stream:
            checksum = written = 0
            for row in rows:
                content = row.tobytes()
                checksum = zlib.crc32(content, checksum)
                written += stream.write(content)
            if written != size:
                raise ValueError(f"{file}: {size} bytes of numbers belong here, {written} were given")
            stream.write(_seal(key, shard, size, checksum))
            stream.flush()
            os.fsync(stream.fileno())  # on the disk before the rename is, or a machine's crash could leave it empty
        os.replace(temporary, file)
        sync(file.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)  # a full disk is not helped by half a shard
        raise


def sync(folder: Path) -> None:
    """Have a folder's list of names on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def wrong_size(file: Path, size: int) -> str | None:
    """What is wrong with the size of a file that should hold `size` bytes of numbers; None if nothing is."""
    try:
        found = file.stat().st_size
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if found == size + SEAL.size else f"expected {size + SEAL.size} bytes, found {found}"


def wrong_content(file: Path, key: str, shard: int, size: int) -> str | None:
    """What is wrong with a file's size, seal or numbers; reads all of it."""
    if problem := wrong_size(file, size):
        return problem
    checksum, left = 0, size
    try:
        with file.open("rb") as stream:
            while left and (block := stream.read(min(BLOCK, left))):
                checksum = zlib.crc32(block, checksum)
                left -= len(block)
            seal = stream.read()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if problem := _wrong_seal(seal, key, shard, size):
        return problem
    stored = SEAL.unpack(seal)[4]
    return None if stored == checksum else f"expected CRC-32 {stored:08x}, found {checksum:08x}"


def mapped(file: Path, key: str, shard: int, size: int, dtype: np.dtype[Any]) -> np.ndarray:
    """The numbers [size / itemsize], mapped into memory. ValueError says what is wrong with size or seal.

    Not np.memmap: it keeps a file descriptor for each map, of which a process has 1024. The map is private, so that not
    even a slip could change the file.
    """
    if problem := wrong_size(file, size):
        raise ValueError(problem)
    try:
        whole = torch.from_file(str(file), shared=False, size=size + SEAL.size, dtype=torch.uint8).numpy()
    except (OSError, RuntimeError) as error:  # it went since
        raise ValueError(f"it cannot be mapped: {error}") from error
    if problem := _wrong_seal(whole[size:].tobytes(), key, shard, size):
        raise ValueError(problem)
    return np.asarray(whole[:size].view(dtype))


def _seal(key: str, shard: int, size: int, checksum: int) -> bytes:
    unsealed = SEAL.pack(MAGIC, key.encode(), shard, size, checksum, 0)[:-4]
    return unsealed + struct.pack("<I", zlib.crc32(unsealed))


def _wrong_seal(seal: bytes, key: str, shard: int, size: int) -> str | None:
    if len(seal) != SEAL.size or zlib.crc32(seal[:-4]) != int.from_bytes(seal[-4:], "little"):
        return "its seal is damaged"
    found = SEAL.unpack(seal)[:4]
    wanted = (MAGIC, key.encode(), shard, size)
    return None if found == wanted else f"it is another shard: expected {wanted}, found {found}"
