"""A store that is away is waited for, one that refuses is not, and nobody is told twice."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.storage import Away, names, patience, read_text, send, write_text
from tests.storage.fake import Store

# As pyarrow words them.
PASSING = [
    OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, Could not connect to server"),
    OSError("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 28, Timeout was reached"),
    OSError("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation: No response body."),
    OSError("AWS Error SLOW_DOWN during PutObject operation: m"),
    OSError("AWS Error INTERNAL_FAILURE during ListObjectsV2 operation: m"),
    OSError("AWS Error UNKNOWN (HTTP status 429) during HeadBucket operation: No response body."),
    OSError("google::cloud::Status(UNAVAILABLE: Permanent error, with a last message of ...)"),
    OSError(errno.ESTALE, "Stale file handle"),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
]
REFUSING = [
    ("access denied", OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")),
    ("access denied", OSError("AWS Error INVALID_ACCESS_KEY_ID during PutObject operation: m")),
    ("access denied", OSError("AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2 operation: m")),
    ("access denied", OSError("Unable to parse ExceptionName: ExpiredToken Message: m")),
    ("access denied", OSError("AWS Error UNKNOWN (HTTP status 401) during PutObject operation")),
    ("no such bucket", OSError("AWS Error NO_SUCH_BUCKET during PutObject operation: m")),
    ("AWS_REGION", OSError("AWS Error UNKNOWN (HTTP status 301) during HeadObject operation: No response body.")),
    ("AWS_ENDPOINT_URL", OSError("AWS Error NETWORK_CONNECTION: curlCode: 35, SSL: wrong version number")),
    ("not allowed", PermissionError(errno.EACCES, "Permission denied")),
]


def failing(error: Exception, times: int, when: str = "write") -> Callable[[str, str], None]:
    left = [times]

    def trouble(operation: str, path: str) -> None:
        if operation == when and left[0]:
            left[0] -= 1
            raise error

    return trouble


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_waited_for(store: Store, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store.trouble = failing(error, 5)
    write_text("s3://bucket/x", "hello")
    assert read_text("s3://bucket/x") == "hello"
    assert store.count("write") == 6
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert said[0].startswith("s3://bucket is away, waiting up to 15 minutes")
    assert said[1].startswith("s3://bucket is back after")


@pytest.mark.parametrize(("words", "error"), REFUSING, ids=str)
def test_refused(store: Store, words: str, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store.trouble = failing(error, 99)
    with pytest.raises(UserError, match="s3://bucket/x") as caught:
        write_text("s3://bucket/x", "hello")
    assert words in str(caught.value)
    assert store.count("write") == 1
    assert not caplog.records


def test_a_failure_when_the_object_is_closed_counts(store: Store, tmp_path: Path) -> None:
    """An object store takes what it is given and says only at the end that it could not keep it."""
    (tmp_path / "folder").mkdir()
    for number in range(20):
        (tmp_path / f"folder/{number}").write_text("x")
    store.trouble = failing(PASSING[0], 30, when="close")
    send(tmp_path / "folder", "s3://bucket/x")
    assert len(names("s3://bucket/x")) == 20


def test_patience_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.1)
    store.trouble = failing(PASSING[0], 10**9)
    began = time.monotonic()
    with pytest.raises(Away, match=r"s3://bucket was away .*NETWORK_CONNECTION"):
        write_text("s3://bucket/x", "hello")
    assert 0.1 < time.monotonic() - began < 5


def test_many_at_once_are_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.trouble = failing(PASSING[0], 40)
    threads = [threading.Thread(target=write_text, args=(f"s3://bucket/{n}", "x")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [record.getMessage() for record in caplog.records]
    # One that succeeds by luck while the others still fail makes it "back" and "away" again, in turn.
    assert [" is away" in words for words in said] == [number % 2 == 0 for number in range(len(said))]
    assert " is back" in said[-1]
    assert len(said) <= 16


def test_waits_grow_and_differ(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SHORTEST_S", 0.5)
    monkeypatch.setattr(patience, "LONGEST_S", 30.0)
    waits: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waits.append)
    store.trouble = failing(PASSING[0], 200)
    write_text("s3://bucket/x", "hello")
    assert all(0.5 <= wait <= 30 for wait in waits)
    assert waits[0] <= 1
    assert max(waits) > 15
    assert len(set(waits)) > 150
