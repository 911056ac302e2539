"""Shards on a disk that fails: each is what was written, or named as damaged (S20)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykd.knowledge import shards
from raykd.knowledge.forms import form
from raykd.knowledge.library import Library
from raykd.knowledge.shards import About, Damaged, Part
from raykd.methods.seen import LOGITS, Need
from tests.knowledge.made import FACTS, fill, shard_rows, split

LENGTHS = [3, 1, 7, 4, 5, 2, 6, 3]
HIDDEN = Need("hidden", 4)


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A complete one of three shards."""
    return fill(Library(tmp_path / "store", "teacher", "data"), HIDDEN, split(tmp_path / "data", LENGTHS))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 16
    file.write_bytes(content)


def state(part: Part) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in part.folder.iterdir()}


def test_what_is_written_is_mapped(part: Part, tmp_path: Path) -> None:
    data = split(tmp_path / "again", LENGTHS)
    assert [list(part.rows(shard)) for shard in range(len(part))] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert part.missing() == part.verify() == []
    for shard in range(3):
        assert (part.map(shard) == np.concatenate(shard_rows(part, shard, data))).all()
    assert sorted(state(part)) == ["about.json", *(f"shard-0000{shard}.bin" for shard in range(3))]


def test_a_description_a_person_can_read(part: Part) -> None:
    about = json.loads((part.folder / "about.json").read_text())
    assert part.folder.name.startswith("hidden-4-")
    assert about["need"] == {"kind": "hidden", "layer": 4}
    assert (about["teacher"], about["data"], about["precision"], about["rows"]) == ("teacher", "data", "float16", 8)
    assert about["shard_bytes"] == [11 * 12, 11 * 12, 9 * 12]


def test_a_flipped_bit_costs_its_shard_only(part: Part) -> None:
    file = part.file(1)
    whole = file.read_bytes()
    for place in range(len(whole)):
        flip(file, place)
        [damage] = part.verify()
        assert (damage.part, damage.shard) == (part.folder.name, 1)
        assert "CRC-32" in damage.why or "seal" in damage.why
        file.write_bytes(whole)
    flip(file, 5)
    part.discard(1)
    assert [damage.shard for damage in part.missing()] == [1]
    assert part.verify() == []


@pytest.mark.parametrize("left", [0, 1, 40, -1])
def test_a_file_cut_short_is_found_without_reading_it(part: Part, left: int) -> None:
    file = part.file(2)
    file.write_bytes(file.read_bytes()[:left])
    for found in (part.missing(), part.verify()):
        assert [(damage.shard, "expected 156 bytes" in damage.why) for damage in found] == [(2, True)]
    with pytest.raises(Damaged, match="shard 2: expected 156 bytes"):
        part.map(2)


def test_a_shard_in_the_place_of_another_is_found(part: Part) -> None:
    shutil.copy(part.file(0), part.file(1))  # of the same size, and whole
    assert part.missing() == []
    assert [damage.shard for damage in part.verify()] == [1]
    with pytest.raises(Damaged, match="another shard"):
        part.map(1)


def test_an_absent_shard_is_missing_and_not_damaged(part: Part) -> None:
    part.discard(0)
    part.discard(0)
    assert [damage.shard for damage in part.missing()] == [0]
    assert part.verify() == []
    with pytest.raises(Damaged, match="No such file"):
        part.map(0)


def test_a_damaged_description_is_found_and_written_anew(part: Part) -> None:
    file = part.folder / "about.json"
    before = state(part)
    whole = file.read_bytes()
    for place in range(len(whole)):
        flip(file, place)
        with pytest.raises(Damaged, match=r"about\.json is not what was written"):
            Part.open(part.folder)
        file.write_bytes(whole)
    for content in (b"", b"[]", b"{}", whole[:-2], b"[" * 100_000):
        file.write_bytes(content)
        with pytest.raises(Damaged):
            Part.open(part.folder)
    assert Part.create(part.folder.parent, part.about).verify() == []
    assert state(part) == before
    file.unlink()
    assert Part.create(part.folder.parent, part.about).missing() == []


def test_a_part_under_another_name_is_refused(part: Part) -> None:
    part.folder.rename(part.folder.with_name("hidden-4-0123456789abcdef"))
    with pytest.raises(Damaged, match=f"it holds {part.folder.name}"):
        Part.open(part.folder.with_name("hidden-4-0123456789abcdef"))


def test_maps_keep_no_file_open_and_outlive_the_file(part: Part) -> None:
    part.file(0).chmod(0o400)
    before = len(os.listdir("/proc/self/fd"))
    maps = [part.map(shard) for shard in range(3)]
    assert len(os.listdir("/proc/self/fd")) == before
    numbers, file = maps[0].copy(), part.file(0).read_bytes()
    maps[0][:] = 0  # not even a slip changes the file
    assert part.file(0).read_bytes() == file
    again = part.map(0)
    shutil.rmtree(part.folder)
    assert (again == numbers).all()


@given(lengths=st.lists(st.integers(0, 40), max_size=60), most=st.integers(1, 2000), rows=st.integers(1, 50))
@settings(deadline=None)
def test_shards_are_small(lengths: list[int], most: int, rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "MOST_BYTES", most)
        patch.setattr(shards, "MOST_ROWS", rows)
        about = About.of(form(HIDDEN, FACTS), "teacher", "data", np.array(lengths, dtype=np.int64))
    part = Part(Path("nowhere"), about)
    assert [row for shard in range(len(part)) for row in part.rows(shard)] == list(range(len(lengths)))
    for shard, size in enumerate(about.sizes):
        assert size == sum(lengths[row] for row in part.rows(shard)) * 12
        assert len(part.rows(shard)) == 1 or (size <= most and len(part.rows(shard)) <= rows)


def test_rows_of_no_numbers_have_shards_too(tmp_path: Path) -> None:
    data = split(tmp_path / "data", [1, 1])
    part = fill(Library(tmp_path, "teacher", "data"), Need("word_distances", 1, reach=2), data, rows_per_shard=1)
    assert part.missing() == part.verify() == []
    assert part.map(1).shape == (0,)


def test_logits_are_of_one_precision(tmp_path: Path) -> None:
    data = split(tmp_path / "data", LENGTHS)
    stored = fill(Library(tmp_path, "teacher", "data"), LOGITS, data)
    found = Library(tmp_path, "teacher", "data", "float32").find(LOGITS)
    assert found is not None
    assert found.folder == stored.folder
    assert found.about.form.dtype == np.dtype("<f4")
