"""An object store of this process whose objects are files below a folder, and which fails when it is told to.

As a program: ``python -m tests.storage.fake ROOT LOG URL`` fetches `URL` from such a store through the node cache and
prints where the copy is, once it has a line on its input; every object it reads is a line in LOG. A fourth word says
how many seconds reading the object ``last`` takes.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.fs import FileInfo, FileSelector, FileSystemHandler, LocalFileSystem, PyFileSystem

from raykd.storage import at_hand, places

Trouble = Callable[[str, str], None]  # called with the operation and its path; raises where it is to fail


class Upload(io.BytesIO):
    """Bytes that become an object when they are closed, as in an object store."""

    def __init__(self, store: Store, path: str) -> None:
        super().__init__()
        self.store, self.path = store, path
        self.target = store.root / path

    def close(self) -> None:
        if not self.closed:
            self.store._do("close", self.path)
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.target.write_bytes(self.getvalue())
        super().close()


class Store(FileSystemHandler):
    """Buckets are the folders of `root`; `trouble` is asked before every operation, `log` has them all."""

    def __init__(self, root: Path, trouble: Trouble | None = None) -> None:
        self.root, self.trouble = root, trouble
        self.log: list[tuple[str, str]] = []
        self.local = LocalFileSystem()
        self.lock = threading.Lock()

    def _do(self, operation: str, path: str) -> str:
        with self.lock:
            self.log.append((operation, path))
            if self.trouble is not None:
                self.trouble(operation, path)
        return str(self.root / path)

    def count(self, operation: str) -> int:
        return sum(done == operation for done, _ in self.log)

    def get_type_name(self) -> str:
        return "fake"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[FileInfo]:
        return [self._info(path, self.local.get_file_info(self._do("info", path))) for path in paths]

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        real = FileSelector(
            self._do("list", selector.base_dir), allow_not_found=selector.allow_not_found, recursive=selector.recursive
        )
        return [self._info(info.path[len(str(self.root)) + 1 :], info) for info in self.local.get_file_info(real)]

    @staticmethod
    def _info(path: str, info: FileInfo) -> FileInfo:
        return FileInfo(path, type=info.type, size=info.size, mtime_ns=info.mtime_ns)

    def open_input_stream(self, path: str) -> Any:
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> Any:
        real = Path(self._do("read", path))
        if not real.is_file():
            raise FileNotFoundError(2, "no such object", path)
        return pa.BufferReader(real.read_bytes())

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        self._do("write", path)
        return pa.PythonFile(Upload(self, path), mode="w")

    def delete_file(self, path: str) -> None:
        Path(self._do("delete", path)).unlink()

    def delete_dir(self, path: str) -> None:
        for file in sorted((self.root / path).rglob("*")):  # one by one, so that it may be cut short
            if file.is_file():
                self.delete_file(str(file.relative_to(self.root)))
        self.local.delete_dir(str(self.root / path))

    def create_dir(self, path: str, recursive: bool) -> None:
        raise AssertionError("an object store has no folders to create")

    delete_dir_contents = delete_root_dir_contents = move = copy_file = open_append_stream = create_dir


def use(store: Store, replace: Callable[[Any, str, Any], None]) -> None:
    """Lets every ``s3://`` URL of this process lead to `store`, where ``s3://bucket`` exists.

    `replace` is monkeypatch.setattr or setattr.
    """
    (store.root / "bucket").mkdir(parents=True, exist_ok=True)
    places._connected.cache_clear()
    replace(places, "_client", lambda scheme, bucket, endpoint: PyFileSystem(store))


def _fetch(root: str, log: str, url: str, seconds: float) -> None:
    def trouble(operation: str, path: str) -> None:
        if operation == "read":
            with open(log, "a") as lines:
                lines.write(f"{path}\n")
            if path.endswith("last"):
                time.sleep(seconds)

    use(Store(Path(root), trouble), setattr)
    print("ready", flush=True)
    sys.stdin.readline()
    print(at_hand(url), flush=True)


if __name__ == "__main__":
    _fetch(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
