"""What is stored of teachers in this workspace: listed, verified, removed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rich.console import Console

from raykd import storage
from raykd.errors import UserError, unknown
from raykd.knowledge.library import Entry, entries, is_part, leftovers, remove
from raykd.knowledge.plan import readable_size
from raykd.knowledge.shards import ABOUT, Damaged, Part
from raykd.workspace import WHOLE, Workspace, here


def show(console: Console) -> None:
    """A line a part, the largest first."""
    workspace = here()
    found = sorted(_entries(workspace), key=lambda entry: -entry.bytes)
    place = workspace.place(workspace.knowledge)
    if not found:
        console.print(f"nothing is stored of any teacher in {place}", markup=False)
        return
    wide = max(len(entry.name) for entry in found)  # whole, however narrow the terminal: rm wants it
    for entry in found:
        state = f"damaged: {entry.damage}" if entry.damage else "" if entry.complete else "incomplete"
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used)) if entry.used else ""
        size, teacher = readable_size(entry.bytes), entry.teacher[:12]
        line = f"{entry.name:{wide}}  {size:>9}  {entry.rows:>9,} rows  {teacher}  {used}  {state}"
        console.print(line.rstrip(), markup=False)
    console.print(f"{len(found)} parts, {readable_size(sum(entry.bytes for entry in found))}, in {place}", markup=False)


def verify(console: Console) -> int:
    """Read all that is stored; damaged shards are removed, and the next sweep that wants them builds them again.

    Returns how many problems there were.
    """
    workspace, problems, read = here(), 0, 0
    for entry in _entries(workspace):
        for damage in _verified(workspace, entry):
            problems += 1
            console.print(f"{damage}: removed, to be built again", markup=False)
        read += entry.bytes
    console.print(f"{readable_size(read)} read, {problems} damaged", markup=False)
    return problems


def clear(names: list[str], everything: bool, console: Console) -> None:
    """Remove these parts, or all. UserError for names that are not there, and where neither is said."""
    workspace = here()
    there = {entry.name: entry.bytes for entry in _entries(workspace)}
    if everything == bool(names):
        raise UserError("cache rm wants either the names of parts (see raykd cache ls) or --all")
    wanted = list(there) if everything else list(dict.fromkeys(names))
    problems = [unknown("part", name, there) for name in wanted if name not in there]
    if problems:
        raise UserError(*problems)
    if workspace.url is None:
        leftovers(workspace.knowledge)
    _remove(workspace, wanted)
    freed = readable_size(sum(there[name] for name in wanted))
    console.print(f"{len(wanted)} parts removed, {freed}", markup=False)


def _remove(workspace: Workspace, names: list[str]) -> None:
    """Remove these parts. On this machine what a person put into one stays."""
    if workspace.url is None:
        remove(workspace.knowledge, names)
        return
    for name in names:
        storage.remove(workspace.place(workspace.knowledge / name))


def _entries(workspace: Workspace) -> list[Entry]:
    if workspace.url is None:
        return entries(workspace.knowledge)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in filter(is_part, storage.names(workspace.place(workspace.knowledge))):
            place = workspace.place(workspace.knowledge / name)
            folder = Path(scratch, name)
            folder.mkdir()
            try:
                (folder / ABOUT).write_text(storage.read_text(storage.join(place, ABOUT)), encoding="utf-8")
                about = Part.open(folder).about
            except (Damaged, FileNotFoundError, ValueError) as damage:
                found.append(Entry(name, None, "", "", "", 0, 0, False, 0.0, str(damage)))
                continue
            whole = storage.exists(storage.join(place, WHOLE))
            size, form = sum(about.sizes), about.form
            found.append(
                Entry(name, form.need, about.teacher, about.data, form.precision, size, about.rows, whole, 0.0)
            )
    return found


def _verified(workspace: Workspace, entry: Entry) -> list[Damaged]:
    """What was damaged of a part, removed by now."""
    folder = workspace.knowledge / entry.name
    place = workspace.place(folder)
    with tempfile.TemporaryDirectory() as scratch:
        if workspace.url is not None:
            folder = Path(scratch, entry.name)
            storage.fetch(place, folder)
        try:
            part = Part.open(folder)
        except Damaged as unreadable:
            _remove(workspace, [entry.name])
            return [unreadable]
        damaged = part.verify()
    if damaged and workspace.url is not None:
        storage.remove(storage.join(place, WHOLE))
    for one in damaged:
        if one.shard is not None:
            storage.remove(storage.join(place, part.file(one.shard).name))
    return damaged
