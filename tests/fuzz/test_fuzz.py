"""A small share of the generated cases, the same ones each time; ``python -m tests.fuzz`` runs thousands."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fuzz.case import Case, Link, litter
from tests.fuzz.explore import KINDS, explore
from tests.fuzz.ground import Ground, ground

CASES = 300


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_traceback_no_hang_nothing_half_written(place: Ground, kind: str) -> None:
    tally = explore(kind, round(CASES * KINDS[kind][1]), 1, place)
    assert not tally.faults, str(tally)
    assert len(tally.messages) > 3


def test_files_are_read_as_another_reader_reads_them_and_many_are(place: Ground) -> None:
    tally = explore("own files", 200, 2, place)
    assert not tally.faults, str(tally)
    assert tally.ended["reached"] > 50
    assert tally.ended["refused"] > 50


@pytest.mark.parametrize(
    ("name", "stand_in"),
    [
        ("raykd.tasks.infer._check_spellings", lambda *_: None),
        ("raykd.tasks.labelled.plain_text", lambda cell: (str(cell), None)),
        ("raykd.tasks.delimited.parser", lambda lines, separator, _: csv.reader(lines, delimiter=separator)),
        ("raykd.tasks.infer.looks_like_codes", lambda _: False),
    ],
)
def test_the_judge_sees_a_reader_that_is_lax(
    place: Ground, monkeypatch: pytest.MonkeyPatch, name: str, stand_in: Callable[..., object]
) -> None:
    monkeypatch.setattr(name, stand_in)
    if name.endswith("codes"):
        monkeypatch.setattr("raykd.tasks.infer.groups", lambda _: [])
    assert explore("own files", 400, 3, place).faults


def test_the_judge_sees_a_traceback(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("raykd.listing.tasks", broken)
    outcome = place.run(Case(("tasks",)))
    assert outcome.ended == "failed"
    assert "KeyError" in outcome.fault


def test_the_judge_sees_a_hang(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.ground.SECONDS", 0.2)
    monkeypatch.setattr("raykd.listing.tasks", endless)
    assert "Hangs" in place.run(Case(("tasks",))).fault


def test_the_judge_sees_what_is_left_behind(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raykd.listing.tasks", lambda *_: Path("sweep.json.tmp").write_text("{"))
    monkeypatch.setattr("raykd.listing.methods", lambda *_: Path("a.txt").unlink())
    assert "left behind: sweep.json.tmp" in place.run(Case(("tasks",))).fault
    assert "gone: a.txt" in place.run(Case(("methods",), {"a.txt": Link("nowhere")})).fault


def test_a_sweep_may_have_a_folder_only_once_it_begins() -> None:
    made = {"home/sweeps/s": "folder", "home/sweeps/s/sweep.json": "1"}
    assert len(litter({}, made, accepted=False)) == 2
    assert litter({}, made, accepted=True) == []
    assert litter({}, {f"home/cache/{'0' * 24}": "folder"}, accepted=True) == [f"half-written: home/cache/{'0' * 24}"]
