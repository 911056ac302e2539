"""Writers that race, fail or are killed leave whole shards and no others (S20)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from raykd.knowledge.library import Library
from raykd.knowledge.shards import About, Part
from raykd.methods.seen import Need
from tests.knowledge.made import fill, split

LENGTHS = [3, 1, 7, 4, 5, 2, 6, 3]
HIDDEN = Need("hidden", 4)


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A complete one of three shards."""
    return fill(Library(tmp_path / "store", "teacher", "data"), HIDDEN, split(tmp_path / "data", LENGTHS))


def state(part: Part) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in part.folder.iterdir()}


def test_the_first_to_make_a_part_decides_how_it_is_cut(part: Part) -> None:
    other = About.of(part.about.form, "teacher", "data", np.array(LENGTHS), rows_per_shard=2)
    assert Part.create(part.folder.parent, other).about == part.about
    assert list(part.folder.parent.iterdir()) == [part.folder]


def test_rows_that_do_not_fill_the_shard_are_refused(part: Part) -> None:
    before = state(part)
    with pytest.raises(ValueError, match="132 bytes of numbers belong here, 24 were given"):
        part.write(0, [np.zeros(12, "<f2")])
    assert state(part) == before


def test_a_full_disk_leaves_what_was_there(part: Part) -> None:
    def rows() -> Iterator[np.ndarray]:
        yield np.zeros(6, "<f2")
        raise OSError(28, "No space left on device")

    before = state(part)
    with pytest.raises(OSError, match="No space"):
        part.write(0, rows())
    assert state(part) == before


def test_two_writers_of_one_shard_leave_one_whole_shard(part: Part) -> None:
    whole = state(part)
    numbers = part.map(0).copy()
    part.discard(0)

    def rows() -> Iterator[np.ndarray]:
        yield numbers[:60]
        part.write(0, [numbers])  # the other one is faster
        assert part.verify() == []
        yield numbers[60:]

    part.write(0, rows())
    assert state(part) == whole


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from raykd.knowledge.shards import Part

def rows():
    yield np.zeros(60, "<f2")
    print("half", flush=True)
    time.sleep(60)

Part.open(Path(sys.argv[1])).write(1, rows())
"""


def test_a_writer_that_is_killed_leaves_no_half_shard(part: Part) -> None:
    before = state(part)
    part.discard(1)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(part.folder)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        writer.send_signal(signal.SIGKILL)
    assert [damage.shard for damage in part.missing()] == [1]
    assert len([name for name in state(part) if name.startswith("tmp-")]) == 1
    part.write(1, [np.frombuffer(before["shard-00001.bin"][:132], "<f2")])
    assert {name: content for name, content in state(part).items() if not name.startswith("tmp-")} == before


RESTLESS = """
import sys, time
from pathlib import Path
import numpy as np
from raykd.knowledge.shards import Part

part = Part.open(Path(sys.argv[1]))
end = time.monotonic() + 20
while time.monotonic() < end:
    for value in range(100):
        part.write(0, [np.full(66, value, "<f2")])
        print(value, flush=True)
"""


def test_a_shard_is_whole_at_any_moment(part: Part) -> None:
    old = part.map(0)
    numbers = old.copy()
    inode = part.file(0).stat().st_ino
    with subprocess.Popen([sys.executable, "-c", RESTLESS, str(part.folder)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"0\n"
            assert part.file(0).stat().st_ino != inode  # another file, put in the old one's place
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                assert part.missing() == part.verify() == []
                assert len(set(part.map(0).tolist())) == 1  # of one writing, not of two
        finally:
            writer.send_signal(signal.SIGKILL)
    assert part.verify() == []
    assert (old == numbers).all()  # who has the old one mapped keeps it


def test_of_many_that_make_a_part_at_once_all_get_the_same(part: Part, tmp_path: Path) -> None:
    together = Barrier(8)

    def make(rows_per_shard: int) -> About:
        about = About.of(part.about.form, "teacher", "data", np.array(LENGTHS), rows_per_shard)
        together.wait()
        return Part.create(tmp_path / "new", about).about

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(1, 9)))) == 1
    assert [folder.name for folder in (tmp_path / "new").iterdir()] == [part.folder.name]
