"""A real PostgreSQL for a test: own data folder, loopback port, password (SCRAM), started and stopped by the test.

Needs Debian's `postgresql` (or the same binaries elsewhere on PATH). PostgreSQL refuses to run as root, so root drops
to the user `postgres`, or `nobody` where there is none. The data folder is a short-named temporary folder: a UNIX
socket's path may have 107 bytes, and another user must be able to walk into it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.process import ServerProcess, free_port

USER = "raykd"


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, newest release first; None where PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: float(bin_.parent.name), reverse=True)
    found = shutil.which("initdb")
    candidates = [*debian, *([Path(found).resolve().parent] if found else [])]
    return next((bin_ for bin_ in candidates if (bin_ / "initdb").exists() and (bin_ / "postgres").exists()), None)


def unprivileged() -> str | None:
    """Whom the server runs as: None (ourselves) unless we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Postgres:
    """`uri` for psycopg and Optuna or MLflow (by SQLAlchemy's names), `start()`, `stop()`; data stays in between."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder = binaries, folder
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.user = unprivileged()
        self._create()
        self.process = ServerProcess(
            "postgres",
            [str(binaries / "postgres"), "-D", str(folder / "data")],
            folder,
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": open connections are ended, everything committed is on disk
        )

    def address(self, database: str = "postgres", *, driver: str = "", password: bool = True) -> str:
        """`postgresql[+driver]://user[:password]@127.0.0.1:port/database`."""
        secret = f":{self.password}" if password else ""
        return f"postgresql{'+' if driver else ''}{driver}://{USER}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def uri(self) -> str:
        """For SQLAlchemy (Optuna, MLflow) with psycopg 3, password included."""
        return self.address(driver="psycopg")

    def create_database(self, name: str) -> str:
        """A new database; its `uri`."""
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.address(), "-c", f'CREATE DATABASE "{name}"')
        return self.address(name, driver="psycopg")

    def start(self) -> None:
        self.process.start()
        self.process.wait(self.ready)

    def stop(self) -> None:
        self.process.stop()

    def ready(self) -> bool:
        command = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _create(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        if self.user is not None:
            for path in (self.folder, secret):
                shutil.chown(path, self.user)
        self._run(
            "initdb",
            *("-D", str(self.folder / "data"), "-U", USER, "-E", "UTF8", "--locale=C.UTF-8"),
            *("--auth=scram-sha-256", f"--pwfile={secret}", "--no-instructions"),
        )
        secret.unlink()
        settings = self.folder / "data" / "postgresql.conf"
        with settings.open("a") as file:
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n"
                "shared_buffers = 32MB\nmax_connections = 60\n"
            )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / program), *arguments],
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


@contextmanager
def run_postgres() -> Iterator[Postgres]:
    """A started server; skips the test where PostgreSQL is not installed."""
    bin_ = binaries()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed (Debian's package `postgresql`; .ci/install-services installs it)")
    folder = Path(tempfile.mkdtemp(prefix="raykd-pg-"))
    server: Postgres | None = None
    try:
        server = Postgres(bin_, folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
