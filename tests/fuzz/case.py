"""One generated command: its words, the files it finds, and what may be left behind when it is over."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from raykd.manifest import is_stamped, prove

HOME = "home"  # the workspace of a case, within its folder


@dataclass(frozen=True)
class Folder:
    """An empty folder where a file may have been meant."""


@dataclass(frozen=True)
class Link:
    """A symbolic link; its target need not be there."""

    target: str


@dataclass(frozen=True)
class Pipe:
    """A named pipe that nobody ever writes to."""


Entry = bytes | Folder | Link | Pipe


@dataclass(frozen=True)
class Case:
    """A command line and the files in the folder it is given in. ``../base`` holds sound ones, see `ground`."""

    arguments: tuple[str, ...]
    files: Mapping[str, Entry] = field(default_factory=dict)
    given: bytes = b""  # on standard input
    trains: bool = False  # training takes no time, and the command goes on to save what came of it
    meanwhile: Mapping[str, Entry] = field(default_factory=dict)  # what somebody puts there while it trains
    check: Callable[[Path], str] | None = None  # of the folder after the command: what is wrong, or ""

    def lay_out(self, folder: Path) -> None:
        """Make the files in `folder`, which exists."""
        for name, entry in self.files.items():
            _make(folder / name, entry)

    def put_meanwhile(self, folder: Path) -> None:
        """Make those that come while it trains, where nothing is in their place."""
        for name, entry in self.meanwhile.items():
            with suppress(OSError):
                if not os.path.lexists(folder / name):
                    _make(folder / name, entry)


def _make(path: Path, entry: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(entry, bytes):
        path.write_bytes(entry)
    elif isinstance(entry, Link):
        path.symlink_to(entry.target)
    elif isinstance(entry, Folder):
        path.mkdir(exist_ok=True)
    else:
        os.mkfifo(path)


def listing(folder: Path) -> dict[str, str]:
    """Everything below `folder`, links not followed: its kind, and of files a hash of the content."""
    found: dict[str, str] = {}
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(at) / name
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = f"link to {os.readlink(path)}"
            elif path.is_dir():
                found[key] = "folder"
            elif path.is_file():
                found[key] = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
            else:
                found[key] = "other"
    return found


# Tokenised splits are kept by content, each whole or not there at all; names that begin with a dot are unfinished.
_KEPT = re.compile(rf"{HOME}(/cache(/[0-9a-f]{{24}}(/(meta\.json|texts\.json|[a-z]+\.npy))?)?)?")
_LOCK = re.compile(rf"{HOME}/teachers(/[0-9a-f]{{16}}\.lock)?")  # empty; held while a teacher is taught
_LISTED = re.compile(rf"{HOME}(/dropped(/[A-Za-z0-9_-]+-[0-9a-f]{{12}}\.jsonl)?)?")  # rows left out, by content
_RUN = re.compile(rf"{HOME}(/students)?|(.+/)?\.[^/]+\.[0-9a-f]{{12}}\.run")  # where an interrupted run goes on from
_SWEEP = re.compile(rf"{HOME}/sweeps(/[A-Za-z0-9][A-Za-z0-9._-]*(/(sweep|space|teacher)\.json)?)?")


def litter(before: Mapping[str, str], after: Mapping[str, str], *, accepted: bool) -> list[str]:
    """What a command changed and should not have. accepted: it was about to train, so it has a folder for that."""
    wrong = [f"gone: {name}" for name in before if name not in after]
    wrong += [f"changed: {name}" for name, what in before.items() if after.get(name, what) != what]
    for name in after.keys() - before.keys():
        if not (
            _KEPT.fullmatch(name)
            or _LISTED.fullmatch(name)
            or _LOCK.fullmatch(name)
            or (accepted and (_SWEEP.fullmatch(name) or _RUN.fullmatch(name)))
        ):
            wrong.append(f"left behind: {name}")
    entries = {name for name in after if re.fullmatch(rf"{HOME}/cache/[0-9a-f]{{24}}", name)} - before.keys()
    return wrong + [f"half-written: {name}" for name in entries if f"{name}/meta.json" not in after]


def own_outputs(folder: Path) -> set[str]:
    """What below `folder` raykd may replace: folders and pages of its own that nobody has changed."""
    found = set()
    for card in (*folder.rglob("raykd.json"), *folder.rglob("analysis.json")):
        if prove(card.parent, card.name).seal is not None:
            found.add(str(card.parent.relative_to(folder)))
    return found | {str(page.relative_to(folder)) for page in folder.rglob("*.html") if is_stamped(page.read_bytes())}


def lost(before: Mapping[str, str], after: Mapping[str, str], own: AbstractSet[str]) -> list[str]:
    """What a command that saved something removed or changed beyond one of its `own` outputs, and scratch that it
    left."""
    differ = {name for name, what in before.items() if after.get(name) != what}
    replaced = {name for name in own if any(other == name or other.startswith(f"{name}/") for other in differ)}
    theirs = [name for name in differ if not any(name == one or name.startswith(f"{one}/") for one in replaced)]
    wrong = [f"lost: {name}" for name in theirs] + [f"replaced: {name}" for name in sorted(replaced)[1:]]
    scratch = [name for name in after.keys() - before.keys() if re.search(r"\.raykd-[0-9a-f]{32}|\.run$", name)]
    return wrong + [f"left behind: {name}" for name in scratch]
