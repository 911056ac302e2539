"""Objects and folders, on a shared file system and in an object store."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.storage import exists, fetch, join, names, read_text, remove, send, write_text
from tests.storage.conftest import tree
from tests.storage.fake import Store


def make(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_objects(base: str) -> None:
    note = join(base, "a b", "note.json")
    assert not exists(note)
    assert names(base) == []
    with pytest.raises(FileNotFoundError):
        read_text(note)
    write_text(note, "une")
    write_text(note, "zwei, grün")
    write_text(join(base, "z"), "")
    assert read_text(note) == "zwei, grün"
    assert exists(note)
    assert exists(join(base, "a b"))
    assert names(base) == ["a b", "z"]
    remove(join(base, "a b"))
    assert not exists(note)
    remove(join(base, "z"))
    remove(join(base, "z"))
    assert names(base) == []


def test_a_reader_never_sees_half_a_text(base: str) -> None:
    note = join(base, "note")
    texts = {letter * 200_000 for letter in "ab"}
    write_text(note, min(texts))
    ended = threading.Event()

    def write() -> None:
        for _ in range(20):
            for text in texts:
                write_text(note, text)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        assert names(base) == ["note"]
        assert base.startswith("s3") or read_text(note) in texts  # the fake store's objects are plain files
    writer.join()


def test_folders(base: str, tmp_path: Path) -> None:
    content = {"config.json": b"{}", "deep/er/weights": b"x" * 3_000_000, "deep/empty": b"", "odd name#?%41.txt": b"1"}
    source = make(tmp_path / "source", {**content, "tmp-unfinished/x": b"", "y.tmp": b"", "z.new": b""})
    send(source, join(base, "model"))
    fetch(join(base, "model"), tmp_path / "back")
    assert tree(tmp_path / "back") == content
    make(tmp_path / "back", {"stale": b"of the last time"})
    fetch(join(base, "model"), tmp_path / "back")
    assert tree(tmp_path / "back") == content
    assert sorted(path.name for path in tmp_path.glob("tmp-*")) == []


def test_nothing_to_send_or_fetch(base: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing at"):
        fetch(join(base, "model"), tmp_path / "back")
    with pytest.raises(FileNotFoundError, match="no folder"):
        send(tmp_path / "absent", base)
    assert not (tmp_path / "back").exists()


def test_a_seal_is_sent_last(store: Store, tmp_path: Path) -> None:
    send(make(tmp_path / "source", {"a/state.json": b"", "a/x": b"", "z": b""}), "s3://bucket/model")
    assert [path for done, path in store.log if done == "write"][-1] == "bucket/model/a/state.json"


def test_fetch_that_fails_leaves_what_was_there(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send(make(tmp_path / "source", {"one": b"1", "two": b"2"}), "s3://bucket/model")
    make(tmp_path / "back", {"one": b"before"})

    def trouble(operation: str, path: str) -> None:
        if path.endswith("two"):
            raise OSError("ACCESS_DENIED")

    store.trouble = trouble
    with pytest.raises(UserError, match="access denied"):
        fetch("s3://bucket/model", tmp_path / "back")
    assert tree(tmp_path / "back") == {"one": b"before"}
    assert list(tmp_path.glob("tmp-*")) == []


def test_a_folder_that_changes_while_it_is_fetched(store: Store, tmp_path: Path) -> None:
    send(make(tmp_path / "source", {"checkpoint-1/x": b"1", "kept": b""}), "s3://bucket/run")

    def trouble(operation: str, path: str) -> None:
        if operation == "read" and path.endswith("checkpoint-1/x"):
            Path(store.root, path).unlink(missing_ok=True)
            make(Path(store.root, "bucket/run/checkpoint-2"), {"x": b"2"})

    store.trouble = trouble
    fetch("s3://bucket/run", tmp_path / "back")
    assert tree(tmp_path / "back") == {"checkpoint-2/x": b"2", "kept": b""}


def test_s27_an_object_that_would_leave_the_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(make(tmp_path / "source", {"x": b""}), "s3://bucket/model")
    plain = Store._info
    monkeypatch.setattr(Store, "_info", staticmethod(lambda path, info: plain(path.replace("/x", "/../../x"), info)))
    with pytest.raises(UserError, match=r"holds an object '\.\./\.\./x'"):
        fetch("s3://bucket/model", tmp_path / "back")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "file:///", "/"])
def test_no_whole_bucket_is_removed(store: Store, url: str) -> None:
    with pytest.raises(UserError, match="whole bucket"):
        remove(url)


def test_no_such_bucket(store: Store) -> None:
    with pytest.raises(UserError, match="s3://absent/x: there is no such bucket"):
        names("s3://absent/x")


def test_a_full_disk_here_is_no_matter_of_patience(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(make(tmp_path / "source", {"x": b""}), "s3://bucket/model")

    def trouble(operation: str, path: str) -> None:
        if operation == "read":
            raise OSError(28, "No space left on device")

    store.trouble = trouble
    with pytest.raises(OSError, match="No space left") as caught:
        fetch("s3://bucket/model", tmp_path / "back")
    assert caught.value.errno == 28
    assert store.count("read") == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_exception_in_the_main_thread_ends_the_waiting(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal's, for one: a preempted trial has no time to wait for a store that is away."""
    from raykd.storage import folders, patience

    monkeypatch.setattr(patience, "SHORTEST_S", 30.0)
    monkeypatch.setattr(patience, "LONGEST_S", 60.0)

    def trouble(operation: str, path: str) -> None:
        if operation == "write":
            raise OSError("NETWORK_CONNECTION")

    def interrupted(futures: object) -> None:
        time.sleep(0.2)
        raise KeyboardInterrupt

    store.trouble = trouble
    monkeypatch.setattr(folders, "as_completed", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        send(make(tmp_path / "source", {"x": b"", "y": b""}), "s3://bucket/model")
    assert time.monotonic() - began < 5
