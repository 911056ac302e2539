"""Shards are made once, an interrupted run goes on, and nothing half-made or damaged is believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from raykd.augment import shards
from raykd.augment.build import augmented
from raykd.augment.make import Maker
from tests.augment.conftest import Loads
from tests.augment.runs import SETTINGS, SINGLE, build, files
from tests.augment.toys import save_lm


def test_a_second_call_reads_what_is_there(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    first = build(SINGLE, lm_folder, tmp_path)
    times = [file.stat().st_mtime_ns for file in files(tmp_path)]
    assert len(times) == 3
    assert build(SINGLE, lm_folder, tmp_path) == first
    assert len(loads) == 1
    assert [file.stat().st_mtime_ns for file in files(tmp_path)] == times


def test_an_interrupted_run_goes_on(
    lm_folder: Path, tmp_path: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build(SINGLE, lm_folder, tmp_path / "whole")
    asked: list[int] = []
    true_make = Maker.make

    def stops(self: Maker, sentences: Sequence[str], first: int, progress: Callable[[float], None]) -> list[list[str]]:
        asked.append(first)
        if asked == [0, 2]:
            raise KeyboardInterrupt
        return true_make(self, sentences, first, progress)

    monkeypatch.setattr(Maker, "make", stops)
    with pytest.raises(KeyboardInterrupt):
        build(SINGLE, lm_folder, tmp_path / "cut")
    assert [file.name for file in files(tmp_path / "cut")] == ["shard-00000.parquet"]
    assert build(SINGLE, lm_folder, tmp_path / "cut") == whole
    assert asked == [0, 2, 2, 4]


def test_another_process_at_the_same_time(
    lm_folder: Path, tmp_path: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    true_make = Maker.make

    def joined(self: Maker, sentences: Sequence[str], first: int, progress: Callable[[float], None]) -> list[list[str]]:
        asked.append(first)
        if len(asked) == 1:
            build(SINGLE, lm_folder, tmp_path)  # the other one makes them all meanwhile
        return true_make(self, sentences, first, progress)

    monkeypatch.setattr(Maker, "make", joined)
    build(SINGLE, lm_folder, tmp_path)
    assert asked == [0, 0, 2, 4]
    assert [file.name for file in files(tmp_path)] == [f"shard-0000{n}.parquet" for n in range(3)]


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"\x28\xb5\x2f\xfd") + 20] ^= 1  # behind the mark of compressed data
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def of_others(file: Path) -> None:
    shards.write(file.parent, int(file.stem[-5:]), [["other", "texts"], ["than", "these"]])


def too_few(file: Path) -> None:
    shards.write(file.parent, int(file.stem[-5:]), [[SINGLE.texts[2][0]]])


@pytest.mark.parametrize("damage", [cut_short, flip, empty, of_others, too_few])
def test_a_damaged_shard_is_made_again(
    damage: Callable[[Path], None], lm_folder: Path, tmp_path: Path, loads: Loads
) -> None:
    whole = build(SINGLE, lm_folder, tmp_path)
    kept = [file.read_bytes() for file in files(tmp_path)]
    damage(files(tmp_path)[1])
    said: list[str] = []
    assert augmented(SINGLE, SETTINGS, lm_folder, tmp_path, said.append) == whole
    assert [file.read_bytes() for file in files(tmp_path)] == kept
    assert any("shard-00001.parquet' is damaged" in line for line in said)
    assert any("5 different texts, 3 of them made before" in line for line in said)


@pytest.mark.parametrize(
    "change", [{"candidates": 5}, {"probability": 0.4}, {"attempts": 5}, {"seed": 2}, {"vectors": "glove.txt"}]
)
def test_settings_are_part_of_the_key(
    change: dict[str, Any], lm_folder: Path, tmp_path: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("glove.txt").write_text("great 1 0\nfilm 0 1\n", encoding="utf-8")
    build(SINGLE, lm_folder, tmp_path / "cache")
    build(SINGLE, lm_folder, tmp_path / "cache", SETTINGS.model_copy(update=change))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_texts_and_model_are_part_of_the_key(lm_folder: Path, tmp_path: Path, loads: Loads) -> None:
    cache = tmp_path / "cache"
    build(SINGLE, lm_folder, cache)
    build(SINGLE.first(3), lm_folder, cache)
    other = save_lm(tmp_path / "other", seed=1)
    build(SINGLE, lm_folder, cache, SETTINGS.model_copy(update={"masked_lm": str(other)}))
    os.utime(other / "model.safetensors", (1, 1))
    build(SINGLE, other, cache)
    assert len(list(cache.iterdir())) == 4
    assert loads == [lm_folder, lm_folder, other, other]


def test_no_changed_byte_changes_a_shard(tmp_path: Path) -> None:
    """Wherever a file is damaged: the same content or none, never other content or an error."""
    variants = [[f"Text {n}", f"text {n}", "more"] for n in range(3)]
    sentences = [row[0] for row in variants]
    shards.write(tmp_path, 0, variants)
    file = shards.shard_file(tmp_path, 0)
    good = file.read_bytes()
    found = []
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :])
        found.append(shards.read(tmp_path, 0, sentences))
    assert all(each is None or each == variants for each in found)
    assert found.count(None) > len(good) / 2
