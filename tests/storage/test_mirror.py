"""A mirror's copy is the folder itself, whatever happens between."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykd.storage import Away, Mirror, exists, join, names, patience, write_text
from tests.storage.conftest import tree
from tests.storage.fake import Store
from tests.storage.test_places import make

ELSEWHERE = itertools.count()


def elsewhere(url: str, tmp_path: Path) -> dict[str, bytes]:
    """What another machine gets."""
    mirror = Mirror(tmp_path / f"elsewhere-{next(ELSEWHERE)}", url)
    mirror.pull()
    return tree(mirror.folder)


def test_nothing_there(base: str, tmp_path: Path) -> None:
    mirror = Mirror(make(tmp_path / "here", {"stale/x": b""}), base)
    mirror.pull()
    assert os.listdir(tmp_path / "here") == []
    mirror.push()
    assert names(base) == []


def test_only_what_changed_is_sent(store: Store, tmp_path: Path) -> None:
    here = make(tmp_path / "here", {"a": b"1", "b/c": b"2", "tmp-x/y": b"", "d.tmp": b"", "e.new": b""})
    mirror = Mirror(here, "s3://bucket/run")
    mirror.push()
    assert elsewhere("s3://bucket/run", tmp_path) == {"a": b"1", "b/c": b"2"}
    assert store.count("write") == 2
    mirror.push()
    assert store.count("write") == 2
    (here / "a").write_bytes(b"3")  # the same size
    (here / "b/c").rename(here / "b/d")
    mirror.push()
    assert store.count("write") == 4
    assert elsewhere("s3://bucket/run", tmp_path) == {"a": b"3", "b/d": b"2"}


def test_nothing_is_sent_after_a_pull(store: Store, tmp_path: Path) -> None:
    make(store.root, {"bucket/run/a": b"1", "bucket/run/b/c": b"2"})
    mirror = Mirror(tmp_path / "here", "s3://bucket/run")
    mirror.pull()
    mirror.push()
    assert store.count("write") == store.count("delete") == 0


def test_every_edit_counts_however_quick(base: str, tmp_path: Path) -> None:
    mirror = Mirror(make(tmp_path / "here", {"x": b"0"}), base)
    for number in range(10):
        (tmp_path / "here/x").write_bytes(b"%d" % number)
        mirror.push()
        assert elsewhere(base, tmp_path) == {"x": b"%d" % number}


def test_what_is_written_while_it_is_looked_at_is_sent_again(base: str, tmp_path: Path) -> None:
    """Its clock may stand still for a tick, so the same size and time prove nothing."""
    file = make(tmp_path / "here", {"x": b"0"}) / "x"
    soon = (time.time_ns() + 10**11,) * 2
    os.utime(file, ns=soon)
    mirror = Mirror(tmp_path / "here", base)
    mirror.push()
    file.write_bytes(b"1")
    os.utime(file, ns=soon)
    mirror.push()
    assert elsewhere(base, tmp_path) == {"x": b"1"}


def test_a_file_becomes_a_folder_and_a_folder_a_file(base: str, tmp_path: Path) -> None:
    here = make(tmp_path / "here", {"a": b"0", "b/c/d": b"1", "b/state.json": b"2"})
    mirror = Mirror(here, base)
    mirror.push()
    for name in ("a", "b/c/d", "b/state.json"):
        write(here / name.split("/")[0], b"", here)
    (here / "a").unlink()
    make(here, {"a/x": b"3"})
    mirror.push()
    assert elsewhere(base, tmp_path) == {"a/x": b"3", "b": b""}
    there = Mirror(make(tmp_path / "there", {"a": b"", "b/x": b""}), base)
    there.pull()
    assert tree(there.folder) == tree(here)


def test_what_others_put_there_stays(base: str, tmp_path: Path) -> None:
    mirror = Mirror(make(tmp_path / "here", {"x": b"0"}), base)
    mirror.push()
    write_text(join(base, "trials/1"), "another's")
    (tmp_path / "here/x").unlink()
    mirror.push()
    assert elsewhere(base, tmp_path) == {"trials/1": b"another's"}


def test_no_empty_folder_is_left(base: str, tmp_path: Path) -> None:
    mirror = Mirror(
        make(tmp_path / "here", {"checkpoint-1/state.json": b"", "checkpoint-1/deep/x": b"", "y": b""}), base
    )
    mirror.push()
    shutil.rmtree(tmp_path / "here/checkpoint-1")
    mirror.push()
    assert names(base) == ["y"]
    assert not exists(join(base, "checkpoint-1"))


def checkpoint(folder: Path, step: int) -> None:
    """As raykd.train.checkpoint does it: this one stands before the older one goes."""
    make(folder / f"tmp-{step}", dict.fromkeys(("state.safetensors", "more", "state.json"), b"%d" % step))
    (folder / f"tmp-{step}").rename(folder / f"checkpoint-{step}")
    shutil.rmtree(folder / f"checkpoint-{step - 1}", ignore_errors=True)


@pytest.mark.parametrize("operations", range(60))
def test_a_push_cut_short_leaves_a_whole_checkpoint(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operations: int
) -> None:
    here = tmp_path / "here"
    mirror = Mirror(here, "s3://bucket/run")
    checkpoint(here, 1)
    mirror.push()
    checkpoint(here, 2)
    make(here, {"metrics": b"2"})
    left = [operations]

    def trouble(operation: str, path: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("NETWORK_CONNECTION: killed")

    monkeypatch.setattr(patience, "PATIENCE_S", 0)
    store.trouble = trouble
    try:
        mirror.push()
    except Away:
        cut = True
    else:
        cut = False
    assert cut == (left[0] < 0)
    store.trouble = None

    found = elsewhere("s3://bucket/run", tmp_path)
    sealed = {name.split("/")[0] for name in found if name.endswith("state.json")}
    assert sealed & {"checkpoint-1", "checkpoint-2"}
    for name in sealed:
        whole = {f"{name}/{file}": name[-1].encode() for file in ("state.safetensors", "more", "state.json")}
        assert whole.items() <= found.items()

    mirror.push()  # it goes on where it was cut
    assert elsewhere("s3://bucket/run", tmp_path) == tree(here)
    assert sealed != {"checkpoint-1", "checkpoint-2"} or cut


PATHS = st.lists(st.sampled_from(["a", "b", "state.json", "c d", "ü#"]), min_size=1, max_size=3).map("/".join)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), PATHS, st.binary(max_size=2)),
        st.tuples(st.just("remove"), PATHS, st.just(b"")),
        st.tuples(st.just("push"), st.just(""), st.just(b"")),
        st.tuples(st.just("pull"), st.just(""), st.just(b"")),
    ),
    max_size=12,
)


def write(file: Path, data: bytes, folder: Path) -> None:
    for parent in file.relative_to(folder).parents:
        if (folder / parent).is_file():
            (folder / parent).unlink()
    if file.is_dir():
        shutil.rmtree(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_elsewhere_it_is_the_same(base: str, edits: list[tuple[str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, url = Path(folder, "here"), join(base, f"run-{next(ELSEWHERE)}")
        mirror = Mirror(here, url)
        mirror.pull()
        pushed = tree(here)
        for edit, name, data in [*edits, ("push", "", b"")]:
            if edit == "write":
                write(here / name, data, here)
            elif edit == "remove" and (here / name).is_dir():
                shutil.rmtree(here / name)
            elif edit == "remove":
                if (here / name).is_file():
                    (here / name).unlink()
            elif edit == "pull":
                mirror.pull()
                assert tree(here) == pushed
            elif edit == "push":
                mirror.push()
                pushed = tree(here)
                assert elsewhere(url, Path(folder)) == pushed
