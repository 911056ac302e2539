"""A list with hashes proves what raykd wrote; whatever else there is, or was changed, is a person's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from raykd.manifest import (
    is_stamped,
    prove,
    read_manifest,
    remove_listed,
    remove_matching,
    stamp_page,
    write_manifest,
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(b"\0" * 100)
    (folder / "deep" / "words").write_text("w")
    write_manifest(folder, {"command": "teach", "scores": {"a": float("nan")}, "path": Path("x")})
    return folder


def test_what_raykd_wrote_is_proven(made: Path) -> None:
    proof = prove(made)
    assert (proof.seal is not None, proof.why, proof.command) == (True, "", "teach")
    assert proof.about is not None
    assert set(proof.about["files"]) == {"weights", "deep/words"}
    assert proof.about["path"] == "x"
    card = json.loads((made / "raykd.json").read_text())
    (made / "raykd.json").write_text(json.dumps(card))  # in other words the same
    assert prove(made).seal == proof.seal


def edit_card(folder: Path) -> None:
    card = json.loads((folder / "raykd.json").read_text())
    (folder / "raykd.json").write_text(json.dumps(card | {"note": "my own"}))


def be_a_folder(folder: Path) -> None:
    (folder / "raykd.json").unlink()
    (folder / "raykd.json").mkdir()


def be_of_an_earlier_version(folder: Path) -> None:
    (folder / "raykd.json").write_text('{"spec": {}}')


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file more": (lambda folder: (folder / "notes.txt").write_text(""), "holds 'notes.txt', which raykd did not"),
    "a file more below": (lambda folder: (folder / "deep" / "n").write_text(""), "holds 'deep/n'"),
    "an empty folder more": (lambda folder: (folder / "src").mkdir(), "holds 'src'"),
    "a link more": (lambda folder: (folder / "link").symlink_to("weights"), "holds 'link"),
    "a link to nowhere": (lambda folder: (folder / "link").symlink_to("nowhere"), "holds 'link"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe"), "holds 'pipe"),
    "another content": (lambda folder: (folder / "weights").write_bytes(b"\1" * 100), "'weights' was changed"),
    "a file less": (lambda folder: (folder / "weights").unlink(), "'weights' is no longer in it"),
    "a card that was edited": (edit_card, "does not prove what raykd wrote"),
    "a card of an earlier version": (be_of_an_earlier_version, "an earlier version made it"),
    "no card": (lambda folder: (folder / "raykd.json").unlink(), "'weights', and no raykd.json"),
    "a card that is a folder": (be_a_folder, "does not prove"),
    "a card that is no JSON": (lambda folder: (folder / "raykd.json").write_bytes(b"\xff"), "does not prove"),
    "a card of a list": (lambda folder: (folder / "raykd.json").write_text("[1]"), "does not prove"),
    "a card without end": (lambda folder: (folder / "raykd.json").write_text("[" * 100_000), "does not prove"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_else_is_not(made: Path, change: str) -> None:
    act, said = CHANGES[change]
    act(made)
    proof = prove(made)
    assert proof.seal is None
    assert said in proof.why


def test_a_file_in_the_place_of_a_folder_is_not(made: Path) -> None:
    (made / "deep" / "words").unlink()
    (made / "deep").rmdir()
    (made / "deep").write_text("w")
    assert prove(made).seal is None


def test_many_names_are_not_all_shown(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"n{number}").touch()
    assert prove(tmp_path).why == "it holds 'n0', 'n1', 'n2', 'n3' and 5 more, and no raykd.json"


def test_what_is_listed_is_removed(made: Path) -> None:
    assert remove_listed(made)
    assert not made.exists()


def test_a_persons_files_stay(made: Path) -> None:
    (made / "deep" / "notes.txt").write_text("years")
    (made / "weights").write_bytes(b"mine")
    assert not remove_listed(made)
    left = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert left == {"deep/notes.txt", "weights", "raykd.json"}
    assert read_manifest(made) is not None
    be_of_an_earlier_version(made)
    assert not remove_listed(made)


def test_of_a_folder_without_a_list_only_known_names_go(tmp_path: Path) -> None:
    folder = tmp_path / "part"
    (folder / "shard-2").mkdir(parents=True)
    for name in ("shard-1", "notes.txt"):
        (folder / name).write_text("x")
    (folder / "shard-3").symlink_to(folder / "notes.txt")
    assert not remove_matching(folder, re.compile(r"shard-\d"))
    assert {path.name for path in folder.iterdir()} == {"shard-2", "shard-3", "notes.txt"}


@pytest.mark.parametrize("page", ["<!doctype html><html><head><title>é</title></head><body></body></html>", "no head"])
def test_a_page_is_known_again_until_it_is_edited(page: str) -> None:
    content = stamp_page(page)
    assert re.sub(rb'<meta name="generator"[^>]*>', b"", content) == page.encode()
    assert is_stamped(content)
    for other in (content.replace(b"</", b"<!-- mine --></", 1), content + b"\n", page.encode(), b""):
        if other != content:
            assert not is_stamped(other)
