"""Single objects, and what a folder holds, in any store."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from threading import Event

from pyarrow.fs import (
    AwsStandardS3RetryStrategy,
    FileInfo,
    FileSelector,
    FileSystem,
    FileType,
    GcsFileSystem,
    LocalFileSystem,
    S3FileSystem,
    resolve_s3_region,
)

from raykd.errors import UserError
from raykd.storage.patience import patiently
from raykd.storage.urls import check_url, is_url, root, split

# pyarrow's own patience is kept short, or it would add to ours.
CONNECT_S, SILENCE_S, ATTEMPTS = 5, 20, 2
CHUNK = 8 * 2**20  # bytes; each is one request when an object is read
TEMPORARY = re.compile(r"tmp-.*|.*\.(tmp|new)")  # names of what is not finished: never carried, never listed


def locate(url: str, cancelled: Event | None = None) -> tuple[FileSystem, str]:
    """The file system of `url` (or of a path of this machine) and the path in it. UserError where there is none."""
    if not is_url(url):
        return LocalFileSystem(), str(Path(url).absolute())
    check_url(url)
    scheme, bucket, path = split(url)
    if scheme == "file":
        return LocalFileSystem(), f"/{path}"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    key = os.environ.get("AWS_ACCESS_KEY_ID")
    store = patiently(url, lambda: _connected(scheme, bucket, endpoint, key), cancelled)
    return store, "/".join([bucket.partition("@")[0], *([path] if path else [])])


@lru_cache(maxsize=32)
def _connected(scheme: str, bucket: str, endpoint: str | None, key: str | None) -> FileSystem:
    """A client whose bucket was there once. `key` is looked at only to notice that the environment has changed."""
    store = _client(scheme, bucket, endpoint)
    container = bucket.partition("@")[0]
    try:
        there = store.get_file_info(container).type != FileType.NotFound
    except OSError as error:
        if not re.search("ACCESS_DENIED|PERMISSION_DENIED", str(error)):
            raise
        there = True  # one may be allowed to use a part of a bucket and not to look at it as a whole
    if not there:
        raise OSError(f"NO_SUCH_BUCKET: '{container}'")
    return store


def _client(scheme: str, bucket: str, endpoint: str | None) -> FileSystem:
    if scheme == "gs":
        return GcsFileSystem(retry_time_limit=timedelta(seconds=SILENCE_S))
    if scheme != "s3":
        return FileSystem.from_uri(f"{scheme}://{bucket}/")[0]
    # S3FileSystem() reads the endpoint from the environment only when it is made from a URI, where time-outs cannot be
    # set. A bucket of Amazon's has its own region; other servers take any, and asking them would ask Amazon.
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return S3FileSystem(
        endpoint_override=endpoint,
        region=named if endpoint else resolve_s3_region(bucket),
        connect_timeout=CONNECT_S,
        request_timeout=SILENCE_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        allow_delayed_open=True,  # one request for a small object instead of three
    )


def exists(url: str) -> bool:
    """Whether there is an object or a folder."""
    store, path = locate(url)
    return patiently(url, lambda: store.get_file_info(path)).type != FileType.NotFound


def names(url: str) -> list[str]:
    """Names of the files and folders in a folder, sorted; none where there is no such folder."""
    listed = _listed(url, recursive=False)
    return sorted(info.base_name for info in listed if not TEMPORARY.fullmatch(info.base_name))


def files(url: str) -> dict[str, FileInfo]:
    """Every file below a folder by its path relative to it. UserError for an object that would leave the folder."""
    _, path = locate(url)
    found = {}
    for info in _listed(url, recursive=True):
        name = info.path[len(path.rstrip("/")) + 1 :]
        parts = name.split("/")
        if {"", ".", ".."} & set(parts) or "\0" in name:
            raise UserError(f"{url} holds an object '{name}', which is not a file inside a folder; remove it")
        if info.type == FileType.File and not any(TEMPORARY.fullmatch(part) for part in parts):
            found[name] = info
    return found


def _listed(url: str, *, recursive: bool) -> list[FileInfo]:
    store, path = locate(url)
    selector = FileSelector(path, recursive=recursive, allow_not_found=True)
    return list(patiently(url, lambda: store.get_file_info(selector)))


def read_text(url: str) -> str:
    """A whole object. Raises FileNotFoundError."""
    store, path = locate(url)

    def act() -> bytes:
        with store.open_input_stream(path) as stream:
            return bytes(stream.read())

    return patiently(url, act).decode()


def write_text(url: str, text: str) -> None:
    """A whole object: a reader sees the old one or this one."""
    store, path = locate(url)

    def act() -> None:
        with _finished(store, path) as target, store.open_output_stream(target) as stream:
            stream.write(text.encode())

    patiently(url, act)


def put_file(source: Path, url: str, name: str, cancelled: Event) -> None:
    """The file `source` as `name` below `url`. Raises FileNotFoundError when `source` has gone."""
    store, path = locate(url, cancelled)

    def act() -> None:
        # Not pyarrow's copy_files: it loses the error of a store that fails when the object is closed.
        with (
            _finished(store, f"{path}/{name}") as target,
            source.open("rb") as read,
            store.open_output_stream(target) as written,
        ):
            shutil.copyfileobj(read, written, CHUNK)

    patiently(url, act, cancelled)


def get_file(url: str, name: str, target: Path, cancelled: Event) -> None:
    """What is `name` below `url` as the file `target`, on the disk when this returns. Raises FileNotFoundError."""
    store, path = locate(url, cancelled)

    def act() -> None:
        with (
            _finished(LocalFileSystem(), str(target)) as unfinished,
            store.open_input_stream(f"{path}/{name}") as read,
            open(unfinished, "wb") as written,
        ):
            shutil.copyfileobj(read, written, CHUNK)

    patiently(url, act, cancelled)


@contextmanager
def _finished(store: FileSystem, path: str) -> Iterator[str]:
    """Where to write so that `path` appears whole: an object does by itself, a file is renamed."""
    if not isinstance(store, LocalFileSystem):
        yield path
        return
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f"tmp-{uuid.uuid4().hex}")
    try:
        yield str(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())  # or a machine's crash could leave it empty
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def remove(url: str) -> None:
    """Removes a folder or an object; nothing to do where there is none. UserError for a whole bucket or disk."""
    store, path = locate(url)
    if path == "/" or (is_url(url) and not split(url)[2]):
        raise UserError(f"{root(url)}: a whole bucket is not removed from here")
    patiently(url, lambda: _remove(store, path))


def remove_below(url: str, name: str, cancelled: Event) -> None:
    """Removes the folder or the object `name` below `url`; fine if absent."""
    store, path = locate(url, cancelled)
    patiently(url, lambda: _remove(store, f"{path}/{name}"), cancelled)


def _remove(store: FileSystem, path: str) -> None:
    kind = store.get_file_info(path).type
    with suppress(FileNotFoundError):  # another attempt, or another process, was first
        if kind == FileType.Directory:
            store.delete_dir(path)
        elif kind != FileType.NotFound:
            store.delete_file(path)
