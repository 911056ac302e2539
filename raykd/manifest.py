"""Proof that raykd made a folder or a page, and that nobody has touched it since.

A folder holds one JSON file (``raykd.json`` in a model's) that lists every other file with its SHA-256, and its own. A
page holds the SHA-256 of the rest of it. What cannot be proven counts as a person's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CARD = "raykd.json"
FORMAT = 2  # 1 listed no files
SHOWN = 4  # names in a message
BLOCK = 1 << 20  # bytes read at once

TAG = '<meta name="generator" content="raykd; sha256 {}">'
TAGGED = re.compile(TAG.format("([0-9a-f]{64})").encode())
TOP = 8192  # bytes of a page in which its tag stands


@dataclass(frozen=True)
class Proof:
    """What a look at a folder gave.

    Attributes:
        seal: SHA-256 of the list that raykd left, where the folder is as it was written; None where it is not.
        why: Then, the reason in words.
        command: Which of raykd's commands made it, "" where it is not known.
        about: The JSON file with the list.
    """

    seal: str | None
    why: str = ""
    command: str = ""
    about: Mapping[str, Any] | None = None


def write_manifest(folder: Path, content: Mapping[str, Any], name: str = CARD) -> None:
    """Write the file `name` of `folder`: `content`, and a list of all other files that are there now.

    Args:
        folder: Complete but for this file.
        content: What the file says besides; what JSON does not know is written as text.
        name: Of the file.

    Raises:
        OSError: The disk is full, or fails.
    """
    files = {path: hash_file(folder / path) for path, regular in sorted(_entries(folder).items()) if regular}
    files.pop(name, None)
    body = json.loads(json.dumps({"format": FORMAT, **content} | {"format": FORMAT, "files": files}, default=str))
    text = json.dumps({**body, "sha256": _digest(body)}, indent=2, ensure_ascii=False)
    (folder / name).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path, name: str = CARD) -> dict[str, Any] | None:
    """The file that `write_manifest` wrote; None where there is none, or where it is not as it was written."""
    file = folder / name
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return None
        whole: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        body = {key: value for key, value in whole.items() if key != "sha256"}
        sound = whole["sha256"] == _digest(body) and whole["format"] == FORMAT and isinstance(whole["files"], dict)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return whole if sound else None


def prove(folder: Path, name: str = CARD) -> Proof:
    """Whether raykd made all that is in `folder`, and nothing was added, changed or taken away since.

    Reads all of the folder where its names are those of the list.

    Args:
        folder: A folder that is there.
        name: Of the file with the list.
    """
    entries = _entries(folder)
    if name not in entries:
        return Proof(None, f"it holds {_names(entries)}, and no {name}")
    about = read_manifest(folder, name)
    if about is None:
        return Proof(None, f"its {name} does not prove what raykd wrote: an earlier version made it, or it was changed")
    files: dict[str, str] = about["files"]
    folders = {str(above) for path in files for above in Path(path).parents}
    added = [path for path, regular in entries.items() if path not in (files if regular else folders)]
    if strange := [path for path in added if path != name]:
        return Proof(None, f"it holds {_names(strange)}, which raykd did not write there")
    if gone := [path for path in files if path not in entries]:
        return Proof(None, f"{_names(gone)} is no longer in it")
    if changed := [path for path, digest in files.items() if _hash_or_none(folder / path) != digest]:
        return Proof(None, f"{_names(changed)} was changed since raykd wrote it")
    return Proof(about["sha256"], command=str(about.get("command", "")), about=about)


def remove_listed(folder: Path, name: str = CARD) -> bool:
    """Remove the files that the list in `folder` names, as far as they are as they were written; and the folder, where
    nothing is left in it. What a person put there stays.

    Args:
        folder: With a list, or without: then nothing is removed.
        name: Of the file with the list.

    Returns:
        Whether the folder has gone.
    """
    about = read_manifest(folder, name)
    if about is None:
        return False
    entries = _entries(folder)
    for path, digest in about["files"].items():
        if entries.get(path) and _hash_or_none(folder / path) == digest:
            (folder / path).unlink(missing_ok=True)
    inner = {str(above) for path in about["files"] for above in Path(path).parents} - {"."}
    for name_of_folder in sorted(inner, reverse=True):
        with suppress(OSError):  # something else lies in it
            (folder / name_of_folder).rmdir()
    if _entries(folder).keys() - {name}:
        return False
    (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def remove_matching(folder: Path, names: re.Pattern[str]) -> bool:
    """Remove the files of `folder` whose whole names match, and the folder where nothing is left in it. What a person
    put there under another name stays.

    Returns:
        Whether the folder has gone.
    """
    for path in folder.iterdir():
        if names.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def stamp_page(page: str) -> bytes:
    """An HTML page with a tag in its head by which `is_stamped` knows it again, as UTF-8."""
    head = "<head>"
    before, found, after = page.partition(head)
    if not found:
        before, after = "", page
    start, end = (before + found).encode("utf-8", "replace"), after.encode("utf-8", "replace")
    return start + TAG.format(hashlib.sha256(start + end).hexdigest()).encode() + end


def is_stamped(content: bytes) -> bool:
    """Whether `content` is a page that raykd wrote, and that nobody has edited since."""
    match = TAGGED.search(content, 0, TOP)
    if match is None:
        return False
    return hashlib.sha256(content[: match.start()] + content[match.end() :]).hexdigest().encode() == match[1]


def hash_file(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _hash_or_none(file: Path) -> str | None:
    try:
        return hash_file(file)
    except OSError:
        return None


def _entries(folder: Path) -> dict[str, bool]:
    """Everything below `folder` by its path in it: True for a regular file, False for a folder or anything else.

    A folder that cannot be looked into, a link and a device are entries of which no list knows.
    """
    entries: dict[str, bool] = {}

    def unreadable(error: OSError) -> None:
        entries[os.path.relpath(error.filename, folder) + "/..."] = False

    for path, folders, files in os.walk(folder, onerror=unreadable):
        for name in (*folders, *files):
            entry = Path(path, name)
            relative = entry.relative_to(folder).as_posix()
            mode = entry.lstat().st_mode
            plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
            entries[relative if plain else f"{relative} (no plain file)"] = stat.S_ISREG(mode)
    return entries


def _names(paths: Collection[str]) -> str:
    shown = sorted(paths)[:SHOWN]
    more = len(paths) - len(shown)
    return ", ".join(f"'{path}'" for path in shown) + (f" and {more} more" if more else "")


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
