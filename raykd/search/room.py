"""Where a sweep lives: its folder on this machine, and the place where every machine finds it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from raykd import storage
from raykd.errors import UserError
from raykd.search.holder import HOLDER
from raykd.search.request import REMEDY, SweepRequest
from raykd.search.space import Space
from raykd.search.space_keep import KEPT, keep, kept
from raykd.search.spec import SPEC, SweepSpec
from raykd.workspace import Workspace

# What an attempt leaves that ended before its sweep began.
LEFT = re.compile(rf"({re.escape(KEPT)}|{re.escape(SPEC)})(\.tmp)?|{re.escape(HOLDER)}|lock|journal")
CHAMPION = "champion"  # the folder of the student that a sweep leaves


@dataclass(frozen=True)
class Room:
    """folder on this machine; place where all find it: the same, or a URL, of which folder is then a working copy.

    artifacts: where MLflow's go when it logs to the local database.
    """

    folder: Path
    place: str
    artifacts: Path

    @property
    def remote(self) -> bool:
        """Whether the sweep lives in an object store."""
        return storage.is_url(self.place)

    @property
    def started(self) -> bool:
        """Whether a sweep was started here."""
        return storage.exists(storage.join(self.place, SPEC))

    def write(self, spec: SweepSpec, space: Space) -> None:
        """Keep what defines the sweep; its specification comes last, and makes it one that can be resumed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keep(space, self.folder)
        spec.save(self.folder)
        if self.remote:
            for name in (KEPT, SPEC):
                storage.write_text(storage.join(self.place, name), (self.folder / name).read_text(encoding="utf-8"))

    def note(self, name: str, text: str) -> None:
        """Keep a file of that name beside what defines the sweep."""
        (self.folder / name).write_text(text, encoding="utf-8")
        if self.remote:
            storage.write_text(storage.join(self.place, name), text)

    def read(self) -> tuple[SweepSpec, Space]:
        """What the sweep was started with. Raises UserError if there is none here."""
        if self.remote and self.started:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (KEPT, SPEC):
                where = storage.join(self.place, name)
                if storage.exists(where):
                    (self.folder / name).write_text(storage.read_text(where), encoding="utf-8")
        return SweepSpec.read(self.folder), kept(self.folder)


def room(workspace: Workspace, name: str) -> Room:
    """The room of the sweep called `name`; UserError for a name that could leave the workspace."""
    folder = workspace.sweep(name)
    return Room(folder, workspace.place(folder), workspace.artifacts)


def new_room(workspace: Workspace, name: str | None, stem: str) -> Room:
    """Of the name asked for, or of the first free ``<stem>-<n>``. UserError for a name that is taken."""
    if name is None:
        stem = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in stem)
        tried = (room(workspace, f"{stem}-{n}") for n in range(1, 10**6))
        return next(found for found in tried if not os.path.lexists(found.folder) and not found.started)
    found = room(workspace, name)
    if found.started:
        raise UserError(f"sweep '{name}' exists already in {found.place}: go on with it by --resume, or take another "
                        "--name")  # fmt: skip
    _check_own(found)
    return found


def _check_own(found: Room) -> None:
    """UserError where the folder of a sweep that was never started holds what raykd did not leave there."""
    if not found.folder.is_dir():
        if os.path.lexists(found.folder):
            raise UserError(f"'{found.folder}' is a file, where the sweep's folder would be; take another --name")
        return
    others = sorted(path.name for path in found.folder.iterdir() if not LEFT.fullmatch(path.name))
    if others:
        shown = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
        raise UserError(f"'{found.folder}' holds {shown}, which no sweep left there; take another --name")


def claim(workspace: Workspace, name: str | None, stem: str, *, again: bool) -> Room:
    """A new room, taken: another process that prepared meanwhile takes another name, or is refused.

    again: what an earlier attempt left behind before its sweep began may lie there.
    """
    while True:
        found = new_room(workspace, name, stem)
        try:
            found.folder.mkdir(parents=True)
        except FileExistsError:
            if name is None:
                continue
            if not again and any(found.folder.iterdir()):
                raise UserError(f"sweep '{name}' was started meanwhile in {found.place}; take another --name") from None
        return found


def newest(workspace: Workspace, request: SweepRequest) -> Room:
    """The room of the newest sweep that is what `request` asks for, as far as it asks for anything.

    Raises:
        UserError: There is no sweep of its task and method, or each differs from the request: then the differences
            from the newest are named.
    """
    if workspace.url is not None:
        names = storage.names(storage.join(workspace.url, "sweeps"))
        raise UserError(f"resume: say which sweep by --name ({', '.join(sorted(names)) or 'there is none'})")
    found = sorted(workspace.sweeps.glob(f"*/{SPEC}"), key=lambda file: file.stat().st_mtime)
    specs = {file.parent: SweepSpec.read(file.parent) for file in found}
    task, method = request.task, request.method
    saved = [
        (folder, spec.request)
        for folder, spec in reversed(specs.items())
        if spec.task.flag == task and method in (None, spec.method)
    ]
    if not saved:
        what = f"task '{task}'" + (f" by method '{method}'" if method else "")
        raise UserError(f"nothing to resume: no sweep of {what} in {workspace.sweeps}")
    for folder, before in saved:
        # A sweep of an earlier version does not say what it was started with.
        if before is None or not request.differences(folder.name, before):
            return room(workspace, folder.name)
    folder, before = saved[0]
    assert before is not None
    raise UserError(*request.differences(folder.name, before), REMEDY)
