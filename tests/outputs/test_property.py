"""Over random trees, outputs, inputs and moments of failure: all that raykd did not write is there afterwards."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykd.errors import UserError
from raykd.manifest import is_stamped, prove
from raykd.models.save import save_student
from raykd.outputs import check_file, check_folder, default_file, default_folder, put_file, put_result
from raykd.workspace import Workspace
from tests.outputs.trees import PATHS, Deed, Entry, Failing, Thing, deeds, do, entries, intact, lay_out, snapshot

CASES = 500

trees = st.lists(entries, max_size=9)
outs = st.sampled_from(PATHS)
inputs = st.lists(st.sampled_from(PATHS), max_size=3)
when = st.integers(0, 12)
spellings = st.sampled_from(["{}", "{}/", "./{}", "a/../{}", "../tree/{}", "é x/../{}"])
commands = st.sampled_from(["teach", None])  # what made what may be replaced
former = st.sampled_from(["made", "page", None, None])  # what raykd left at the output's place before


class Fake:
    """A network or a tokenizer that saves a file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def save_pretrained(self, folder: Path) -> None:
        """As transformers does."""
        (folder / self.name).write_text("new")


def save(target: Any) -> Path:
    """The real function with networks that are none."""
    model: Any = Fake("model.safetensors")
    tokenizer: Any = Fake("tokenizer.json")
    return save_student(model, tokenizer, target, card={"command": "teach"}, extra={"rows.npz": b"rows"})


def _before(out: tuple[str, ...], kind: Any) -> list[Entry]:
    """An earlier output where the next one shall lie."""
    above = [Entry(out[:1], "folder")] if len(out) > 1 else []
    return [] if kind is None else [*above, Entry(out, kind, "teach")]


def related(path: Path, other: Path) -> bool:
    """By paths alone, links followed."""
    one, two = Path(os.path.realpath(path)), Path(os.path.realpath(other))
    return one == two or one in two.parents or two in one.parents


def kept(before: dict[str, Thing], after: dict[str, Thing], replaced: str | None) -> None:
    """Everything of `before` is in `after`, but for what lies in the folder `replaced`."""
    for name, thing in before.items():
        if replaced is None or not (name == replaced or name.startswith(f"{replaced}/")):
            assert after.get(name) == thing, name


@settings(max_examples=CASES, deadline=None)
@given(trees, outs, former, spellings, inputs, commands, st.booleans(), deeds, when)
def test_folders(
    drawn: list[Entry],
    out: tuple[str, ...],
    own_before: Any,
    spelling: str,
    read: list[tuple[str, ...]],
    command: str | None,
    default: bool,
    deed: Deed,
    number: int,
) -> None:
    with ExitStack() as stack:
        root = Path(os.path.realpath(stack.enter_context(tempfile.TemporaryDirectory())), "tree")
        root.mkdir()
        made = lay_out(root, [*_before(out, own_before), *drawn])
        stack.callback(os.chdir, Path.cwd())
        os.chdir(root)
        path, typed = root.joinpath(*out), spelling.format("/".join(out))
        before = snapshot(root)
        named = {f"input {n}": root.joinpath(*words) for n, words in enumerate(read)}
        try:
            if default:
                target = default_folder(path, lambda about: about.get("command") == command, named)
            else:
                target = check_folder(typed, named, Workspace(root / "home"), command=command)
        except (UserError, OSError):
            assert snapshot(root) == before  # a refusal touches nothing
            return
        assert snapshot(root) == before
        if not default:
            assert os.path.realpath(target.path) == os.path.realpath(typed)
            assert not any(related(target.path, other) for other in named.values() if os.path.lexists(other))
        if not target.path.is_relative_to(root):
            return  # a link to .. leads out of the tree
        do(root, deed)
        own = str(target.path.relative_to(root))
        untouched = own in intact(root, made)
        if os.path.lexists(target.path) and before.get(own) and target.replaces:
            assert command is not None  # what was accepted as raykd's was raykd's
        before = snapshot(root)
        failing = Failing(number)
        for call in Failing.CALLS:
            stack.enter_context(patch(f"os.{call}", failing.wrap(getattr(os, call))))
        saved: Path | None = None
        with suppress(OSError):
            saved = save(target)
        failing.left = 0
        after = snapshot(root)
        may_go = own if target.replaces is not None and untouched else None
        if saved is None:
            assert failing.failed or not target.path.parent.is_dir()  # a file has come to be there
            kept(before, after, None)  # what was there is as it was, the former model too
            return
        kept(before, after, may_go)
        if before.get(own) == Thing("folder") and saved != target.path and untouched:
            kept(before, after, None)
        assert prove(saved).seal is not None
        assert (saved / "model.safetensors").read_text() == "new"
        if str(saved.relative_to(root)) != may_go:
            here = before.get(str(saved.relative_to(root)))
            assert here in (None, Thing("folder"))  # an empty one, or kept() would have failed


@settings(max_examples=CASES, deadline=None)
@given(trees, outs, former, inputs, st.booleans(), deeds, when)
def test_files(
    drawn: list[Entry],
    out: tuple[str, ...],
    own_before: Any,
    read: list[tuple[str, ...]],
    default: bool,
    deed: Deed,
    number: int,
) -> None:
    with ExitStack() as stack:
        root = Path(os.path.realpath(stack.enter_context(tempfile.TemporaryDirectory())), "tree")
        root.mkdir()
        lay_out(root, [*_before(out, own_before), *drawn])
        path = root.joinpath(*out)
        before = snapshot(root)
        named = {f"input {n}": root.joinpath(*words) for n, words in enumerate(read)}
        try:
            target = default_file(path) if default else check_file(path, named, Workspace(root / "home"))
        except (UserError, OSError):
            assert snapshot(root) == before
            return
        do(root, deed)
        before = snapshot(root)
        own = str(target.path.relative_to(root))
        failing = Failing(number)
        for call in Failing.CALLS:
            stack.enter_context(patch(f"os.{call}", failing.wrap(getattr(os, call))))
        saved: Path | None = None
        try:
            saved = put_file(b"new", target)
        except OSError:
            assert failing.failed or not target.path.parent.is_dir()
        failing.left = 0
        after = snapshot(root)
        was = before.get(own)
        mine = was is not None and was.kind == "file" and is_stamped(was.content)
        kept(before, after, own if mine and saved == target.path else None)
        if saved is not None:
            assert saved.read_bytes() == b"new"
            assert {name for name in after if ".raykd-" in name} <= before.keys() or failing.failed


@settings(max_examples=CASES, deadline=None)
@given(st.lists(st.one_of(deeds, st.sampled_from(["put", "put again"])), max_size=9))
def test_results_of_a_sweep(steps: list[Deed | str]) -> None:
    """What was written there last is replaced; what a person edited or put there stays."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        written: dict[str, bytes] = {}
        for number, step in enumerate(steps):
            if isinstance(step, Deed):
                do(folder, step)
                continue
            before = snapshot(folder)
            name = ("a", "page.html")[number % 2]
            path = put_result(folder, name, content := f"{step} {number}".encode())
            after = snapshot(folder)
            mine = before.get(path.name) in (None, Thing("file", written.get(path.name, b"no")))
            assert mine
            kept({key: thing for key, thing in before.items() if key != "results.json"}, after, path.name)
            assert path.read_bytes() == content
            written[path.name] = content


@pytest.mark.parametrize("deed", ["add", "edit", "remove", "folder", "link"])
def test_every_change_of_a_made_folder_is_seen(tmp_path: Path, deed: Any) -> None:
    """Not left to chance: before the check, and between the check and the end."""
    lay_out(tmp_path, [Entry(("a",), "made", "teach")])
    target = check_folder(tmp_path / "a", {}, None, command="teach")
    do(tmp_path, Deed(("a",), deed))
    with pytest.raises(UserError, match="Nothing is removed"):
        check_folder(tmp_path / "a", {}, None, command="teach")
    before = snapshot(tmp_path)
    assert save(target) == tmp_path / "a-2"
    kept(before, snapshot(tmp_path), None)
