"""Which part serves a need, and what a user sees and removes (S19, S20)."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.knowledge.library import Library, entries, leftovers, remove
from raykd.methods.seen import LOGITS, Need
from raykd.tasks.encoded import Encoded
from tests.knowledge.made import FACTS, NEEDS, fill, split

BAND = Need("word_distances", 6, reach=4)


@pytest.fixture
def data(tmp_path: Path) -> Encoded:
    return split(tmp_path / "data", [3, 1, 7, 4, 5])


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "store", "teacher", "data")


@pytest.mark.parametrize("need", NEEDS, ids=str)
def test_stale_knowledge_is_not_found(need: Need, library: Library, data: Encoded) -> None:
    assert library.find(need) is None
    part = fill(library, need, data)
    found = library.find(need)
    assert found is not None
    assert found.folder == part.folder
    assert replace(library, teacher="another").find(need) is None
    assert replace(library, data="another").find(need) is None
    assert library.find(replace(need, padding=True)) is None
    if need != LOGITS:
        assert replace(library, precision="float32").find(need) is None
        assert library.find(replace(need, layer=9)) is None


def test_a_wider_band_serves_a_shorter_reach(library: Library, data: Encoded) -> None:
    wide = fill(library, replace(BAND, reach=6), data)

    def found(need: Need) -> Path | None:
        part = library.find(need)
        return None if part is None else part.folder

    assert [found(replace(BAND, reach=reach)) for reach in (1, 6, 7)] == [wide.folder, wide.folder, None]
    assert found(replace(BAND, layer=60)) is None  # whose name begins alike
    assert found(Need("hidden", 6)) is None
    library.part(BAND, FACTS, data.lengths, rows_per_shard=3)
    assert found(BAND) == wide.folder  # where nothing is to be written
    exact = fill(library, BAND, data)
    assert found(BAND) == exact.folder
    exact.discard(0)
    assert found(BAND) == wide.folder
    wide.discard(0)
    assert found(BAND) == exact.folder


def test_a_damaged_description_is_as_if_absent_until_made_again(library: Library, data: Encoded) -> None:
    part = fill(library, LOGITS, data)
    (part.folder / "about.json").write_text("{")
    assert library.find(LOGITS) is None
    [entry] = entries(library.root)
    assert (entry.name, entry.need, entry.complete) == (part.folder.name, None, False)
    assert "about.json" in entry.damage
    assert library.part(LOGITS, FACTS, data.lengths, rows_per_shard=3).missing() == []


def test_entries(library: Library, data: Encoded, tmp_path: Path) -> None:
    assert entries(tmp_path / "nowhere") == []
    parts = [fill(library, need, data) for need in (LOGITS, BAND)]
    parts[1].discard(1)
    for entry, part, need in zip(entries(library.root), parts, (LOGITS, BAND), strict=True):
        assert (entry.name, entry.need, entry.teacher, entry.data) == (part.folder.name, need, "teacher", "data")
        assert entry.bytes == sum(file.stat().st_size for file in part.folder.iterdir())
        assert (entry.rows, entry.complete, entry.damage) == (5, need == LOGITS, "")
        assert abs(entry.used - time.time()) < 60


def test_remove(library: Library, data: Encoded) -> None:
    keep, gone = fill(library, LOGITS, data), fill(library, BAND, data)
    size = entries(library.root)[1].bytes
    wrong = [gone.folder.name, keep.folder.name[:-1], "../data", "", "."]
    with pytest.raises(UserError) as refused:
        remove(library.root, wrong)
    assert len(refused.value.problems) == 4
    assert f"did you mean '{keep.folder.name}'" in refused.value.problems[0]
    assert remove(library.root, [gone.folder.name, gone.folder.name]) == size
    assert list(library.root.iterdir()) == [keep.folder]
    assert data.folder.is_dir()


def test_leftovers_of_killed_writers_go_after_a_day(library: Library, data: Encoded) -> None:
    part = fill(library, LOGITS, data)
    old = [part.folder / f"tmp-{'1' * 32}", library.root / f"tmp-{'2' * 32}"]
    young = [part.folder / f"tmp-{'3' * 32}", library.root / f"tmp-{'4' * 32}"]
    mine = library.root / "tmp-notes"
    mine.mkdir()
    os.utime(mine, (0, 0))
    for file, folder in (old, young):
        file.write_text("half")
        folder.mkdir()
        (folder / "about.json").write_text("half")
    for path in old:
        os.utime(path, (time.time() - 25 * 3600,) * 2)
    assert len(entries(library.root)) == 1
    assert set(leftovers(library.root)) == set(old)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*young, mine))
    assert part.verify() == []
