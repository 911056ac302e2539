"""Trees of files, folders and links at random, some of them made by raykd, and what a person does in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

from raykd.manifest import stamp_page, write_manifest

NAMES = ("a", "b", "a-2", "config.json", "raykd.json", ".a.new", ".a.old", "model.safetensors", "é x", "page.html")
PATHS = [(one,) for one in NAMES] + [(one, other) for one in ("a", "b", "é x") for other in NAMES]
Kind = Literal["file", "folder", "link", "made", "page"]


@dataclass(frozen=True)
class Entry:
    """What lies at `path`. content: of a file; where a link leads to; the command that made a folder."""

    path: tuple[str, ...]
    kind: Kind
    content: str = ""


@dataclass(frozen=True)
class Deed:
    """What a person does at `path`, or in the folder that is there."""

    path: tuple[str, ...]
    what: Literal["add", "edit", "remove", "folder", "link", "empty"]


entries = st.builds(
    Entry,
    st.sampled_from(PATHS),
    st.sampled_from(["file", "folder", "link", "made", "made", "made", "page"]),
    st.sampled_from(["teach", "distill", "a", "b/model.safetensors", "..", "nowhere", ""]),
)
deeds = st.builds(Deed, st.sampled_from(PATHS), st.sampled_from(["add", "edit", "remove", "folder", "link", "empty"]))


@dataclass(frozen=True)
class Thing:
    """One entry of a file system: its kind, and what is in it."""

    kind: str
    content: bytes = b""


def snapshot(root: Path) -> dict[str, Thing]:
    """Everything below `root` by its path, links not followed."""
    found = {}
    for at, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(at, name)
            key = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[key] = Thing("link", os.readlink(path).encode())
            elif path.is_dir():
                found[key] = Thing("folder")
            else:
                found[key] = Thing("file", path.read_bytes())
    return found


def lay_out(root: Path, drawn: list[Entry]) -> dict[str, dict[str, Thing]]:
    """Make the entries, as far as they fit; gives what is in each folder that raykd made, by its path."""
    made: dict[str, dict[str, Thing]] = {}
    for number, entry in enumerate(drawn):
        path = root.joinpath(*entry.path)
        if os.path.lexists(path) or not _can_hold(path.parent):
            continue
        if entry.kind == "file":
            path.write_text(f"years of work {number}")
        elif entry.kind == "page":
            path.write_bytes(stamp_page(f"<head></head>{number}"))
        elif entry.kind == "folder":
            path.mkdir()
        elif entry.kind == "link":
            path.symlink_to(entry.content or "nowhere")
        else:
            write_model(path, f"former {number}", entry.content)
            made[str(path.relative_to(root))] = snapshot(path)
    return made


def write_model(folder: Path, content: str, command: str) -> None:
    """A folder as raykd makes one."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(content)
    write_manifest(folder, {"command": command})


def do(root: Path, deed: Deed) -> None:
    """Change the tree as a person would, as far as that is possible."""
    path = root.joinpath(*deed.path)
    within = path / "notes.txt" if path.is_dir() else path
    try:
        if deed.what == "add":
            within.write_text("added meanwhile")
        elif deed.what == "edit":
            (path / "model.safetensors" if path.is_dir() else path).write_text("edited meanwhile")
        elif deed.what == "remove":
            (path / "config.json" if path.is_dir() else path).unlink()
        elif deed.what == "folder":
            (path / "src" if path.is_dir() else path).mkdir()
        elif deed.what == "link":
            within.symlink_to("nowhere")
        else:
            path.mkdir()
    except OSError:
        return


def intact(root: Path, made: Mapping[str, Mapping[str, Thing]]) -> set[str]:
    """Those of the folders that raykd made in which nothing has changed since."""
    return {name for name, was in made.items() if (root / name).is_dir() and snapshot(root / name) == was}


def _can_hold(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "raykd.json").is_file()


class Failing:
    """Lets the n-th call of what changes a disk fail as on a full one; 0: none."""

    CALLS = ("rename", "replace", "mkdir", "link", "unlink", "rmdir", "open")

    def __init__(self, number: int) -> None:
        self.left = number
        self.failed = False

    def wrap(self, function: Any) -> Any:
        """`function`, which may fail."""

        def call(*words: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.failed = True
                raise OSError(28, "No space left on device")
            return function(*words, **named)

        return call
