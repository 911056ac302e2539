"""What storing a teacher's answers took: noted once, added up over starts, and never made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.report.story import Stored
from raykd.search.fill_task import Spent
from raykd.search.room import Room, room
from raykd.search.stored import note, noted, remember
from raykd.workspace import Workspace


@pytest.fixture(params=["folder", "url"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home", (tmp_path / "bucket").as_uri() if request.param == "url" else None)


def start(workspace: Workspace, name: str, spent: Spent, *, live: bool = False) -> Room:
    """What `gather` does of it."""
    builder = workspace.root / "builders" / "b"
    builder.mkdir(parents=True, exist_ok=True)
    found = room(workspace, name)
    note(found, 100, spent, remember(spent, builder, workspace), live=live)
    return found


def test_nothing_was_noted(workspace: Workspace) -> None:
    assert noted(room(workspace, "s")) is None


def test_a_sweep_that_built_it_and_one_that_found_it(workspace: Workspace) -> None:
    spent = Spent(60, 2.0, 3.0) + Spent(40, 2.0, 2.5)
    assert noted(start(workspace, "first", spent)) == Stored(100, 100, 5.5, 0.04)
    assert noted(start(workspace, "second", Spent())) == Stored(100, 0, 0.0, 0.04)


def test_a_resumed_sweep_keeps_its_note(workspace: Workspace) -> None:
    start(workspace, "s", Spent(60, 3.0, 4.0))
    assert noted(start(workspace, "s", Spent(40, 1.0, 2.0))) == Stored(100, 100, 6.0, 0.04)
    assert noted(start(workspace, "s", Spent())) == Stored(100, 100, 6.0, 0.04)


def test_a_store_of_a_time_before_notes_has_no_pace(workspace: Workspace) -> None:
    assert noted(start(workspace, "s", Spent())) == Stored(100, 0, 0.0, None)


def test_what_was_asked_live_once_stays_so(workspace: Workspace) -> None:
    start(workspace, "s", Spent(100, 4.0, 5.0), live=True)
    assert noted(start(workspace, "s", Spent())) == Stored(100, 100, 5.0, 0.04, live=True)


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    found = start(Workspace(tmp_path), "s", Spent(100, 4.0, 5.0))
    (found.folder / "knowledge.json").write_text('{"rows": 1')
    assert noted(found) is None
