"""All parts that lie in one folder: the one that serves a need, what is there, and how it goes."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raykd.errors import UserError, unknown
from raykd.knowledge.forms import Facts, Precision, form, kept_precision, name
from raykd.knowledge.sealed import TEMPORARY
from raykd.knowledge.shards import ABOUT, About, Damaged, Part
from raykd.manifest import remove_matching
from raykd.methods.seen import Need

DAY_S = 24 * 3600.0
PART = re.compile(r".+-[0-9a-f]{16}")
UNFINISHED = re.compile(rf"{TEMPORARY}[0-9a-f]{{32}}")
FILES = re.compile(rf"{re.escape(ABOUT)}|shard-\d{{5,}}\.bin|{UNFINISHED.pattern}|\.raykd-whole")  # of a part


@dataclass(frozen=True)
class Library:
    """What is known below `root` of one split (its key) by one teacher (its digest)."""

    root: Path
    teacher: str
    data: str
    precision: Precision = "float16"

    def find(self, need: Need) -> Part | None:
        """A part that serves `need`, complete or not: of those that do, the one with the fewest shards missing.

        A band of word distances serves every shorter reach.
        """
        if need.padding:
            return None
        exact = self.root / name(need, self.teacher, self.data, self.precision)
        wider = self.root.glob(f"{need.kind}-{need.layer}-r*") if need.kind == "word_distances" else []
        fitting = []
        for folder in {exact, *wider}:
            with suppress(Damaged):
                part = Part.open(folder)
                if self._serves(part, need):
                    fitting.append(part)
        return min(fitting, key=lambda part: (len(part.missing()), part.about.form.need.reach), default=None)

    def part(self, need: Need, facts: Facts, lengths: np.ndarray, *, rows_per_shard: int | None = None) -> Part:
        """The part of exactly `need`, made without any shard if there is none; lengths: tokens of each row.

        Raises ValueError for a need that cannot be stored, OSError where the disk fails.
        """
        form_of = form(need, facts, self.precision)
        return Part.create(self.root, About.of(form_of, self.teacher, self.data, lengths, rows_per_shard))

    def _serves(self, part: Part, need: Need) -> bool:
        about = part.about
        return (about.teacher, about.data, about.form.precision) == (
            self.teacher,
            self.data,
            kept_precision(need, self.precision),
        ) and serves(about.form.need, need)


def serves(stored: Need, need: Need) -> bool:
    """Whether what is stored for one need answers another, of the same teacher and split."""
    if stored.kind != "word_distances":
        return stored == need
    return (stored.kind, stored.layer, need.padding) == (need.kind, need.layer, False) and stored.reach >= need.reach


@dataclass(frozen=True)
class Entry:
    """One part, as a user may want to see it. damage: its description cannot be read, and the fields are empty."""

    name: str
    need: Need | None
    teacher: str
    data: str
    precision: str
    bytes: int
    rows: int
    complete: bool
    used: float  # when it was last opened to be read, or changed; seconds since the epoch
    damage: str = ""


def entries(root: Path) -> list[Entry]:
    """All parts below `root`, sorted by name; none where there is no such folder. What is no part is passed over."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if is_part(folder.name) and folder.is_dir() and not folder.is_symlink():
            with suppress(FileNotFoundError):  # removed meanwhile
                if any(FILES.fullmatch(path.name) for path in folder.iterdir()):
                    found.append(_entry(folder))
    return found


def is_part(name: str) -> bool:
    """Whether a folder of this name is a part, by what `forms.name` calls them."""
    return PART.fullmatch(name) is not None


def remove(root: Path, names: Iterable[str]) -> int:
    """Removes these parts and gives the bytes freed; who has them mapped reads on. What a person put into one stays, in
    a folder of the part's name. UserError for names not there."""
    there = {entry.name: entry.bytes for entry in entries(root)}
    wanted = list(dict.fromkeys(names))
    problems = [unknown("part", given, there) for given in wanted if given not in there]
    if problems:
        raise UserError(*problems)
    for given in wanted:
        aside = root / f"{TEMPORARY}{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):  # another process was first
            (root / given).rename(aside)  # at once: nobody finds half a part
            if not remove_matching(aside, FILES):
                with suppress(OSError):  # somebody has made the part anew
                    aside.rename(root / given)
    return sum(there[given] for given in wanted)


def leftovers(root: Path, *, older_than_s: float = DAY_S) -> list[Path]:
    """Removes what writers that were killed left, where it has not changed for as long; gives what it removed."""
    removed = []
    folders = [root, *(path for path in root.iterdir() if is_part(path.name))] if root.is_dir() else []
    found: list[Path] = []
    for folder in folders:
        with suppress(OSError):  # renamed or removed meanwhile
            found += [path for path in folder.glob(f"{TEMPORARY}*") if UNFINISHED.fullmatch(path.name)]
    for path in found:
        with suppress(OSError):  # its writer is alive after all, and done
            if time.time() - path.stat().st_mtime > older_than_s:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
                removed.append(path)
    return removed


def _entry(folder: Path) -> Entry:
    size = 0
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # a writer has finished it meanwhile
            size += file.stat().st_size
    try:
        part = Part.open(folder)
    except Damaged as damage:
        return Entry(folder.name, None, "", "", "", size, 0, False, folder.stat().st_mtime, damage.why)
    about = part.about
    return Entry(
        folder.name,
        about.form.need,
        about.teacher,
        about.data,
        about.form.precision,
        size,
        about.rows,
        not part.missing(),
        (folder / ABOUT).stat().st_mtime,
    )
