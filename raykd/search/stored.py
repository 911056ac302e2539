"""What it took to store what a teacher says, noted where the store is built and beside each sweep that reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raykd import storage
from raykd.report.story import Stored
from raykd.search.fill_task import Spent
from raykd.search.room import Room
from raykd.workspace import Workspace

NOTE = "knowledge.json"  # in the sweep's folder
EVER = "asked.json"  # beside whoever builds the store of one teacher and split: what all sweeps together asked


def remember(spent: Spent, builder: Path, workspace: Workspace) -> Spent:
    """Add `spent` to what was asked ever, in the folder `builder` of the workspace, and give all of it. Nobody else may
    do so at that time."""
    place = storage.join(workspace.place(builder), EVER)
    all_of_it = _spent(_read(place)) + spent
    if spent.rows:
        storage.write_text(place, json.dumps(asdict(all_of_it)))
    return all_of_it


def note(room: Room, rows: int, spent: Spent, ever: Spent, *, live: bool) -> None:
    """Keep for the sweep's report that it reads from a store of `rows` rows, and what it `spent` on it itself; what it
    noted at an earlier start is added to. live: something is not stored, and is asked live."""
    before = _read(storage.join(room.place, NOTE))
    own = _spent(before) + spent
    pace = own.pace or before.get("pace") or ever.pace
    live = live or bool(before.get("live"))
    room.folder.mkdir(parents=True, exist_ok=True)
    room.note(NOTE, json.dumps({**asdict(own), "of": rows, "pace": pace, "live": live}))


def noted(room: Room) -> Stored | None:
    """What a report says of it; None where the sweep noted nothing."""
    found = _read(storage.join(room.place, NOTE))
    if not found:
        return None
    own = _spent(found)
    return Stored(int(found["of"]), own.rows, own.storing, found["pace"], bool(found["live"]))


def _spent(found: Mapping[str, Any]) -> Spent:
    return Spent(**{name: found[name] for name in ("rows", "answering", "storing") if name in found})


def _read(place: str) -> dict[str, Any]:
    """{} where there is nothing, or nothing that can be read."""
    try:
        return dict(json.loads(storage.read_text(place))) if storage.exists(place) else {}
    except (OSError, ValueError):
        return {}
