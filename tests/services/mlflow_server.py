"""A real `mlflow server` for a test: runs in PostgreSQL, artifacts in the S3-compatible server, one worker, loopback.

With `proxied=True` (how a team would run it) the server passes artifacts on and clients need no S3 keys; with False
clients write to the bucket themselves and need `S3.environment()`. The database's address goes to the server by its
environment: a command line can be read by everybody on the machine.

MLflow and Optuna both take SQLAlchemy's `postgresql+psycopg://` with psycopg 3; `boto3` is what MLflow reaches S3 by.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.postgres import Postgres
from tests.services.process import ServerProcess, answers, free_port
from tests.services.s3 import S3


class MlflowServer:
    """`uri` for MLFLOW_TRACKING_URI, `start()`, `stop()`; all that was logged stays in between."""

    def __init__(self, folder: Path, database: str, s3: S3, *, proxied: bool) -> None:
        self.port = free_port()
        artifacts = f"s3://{s3.bucket}/mlflow{self.port}"
        where = ("--artifacts-destination", artifacts) if proxied else ("--default-artifact-root", artifacts)
        serve = "--serve-artifacts" if proxied else "--no-serve-artifacts"
        options = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", serve, *where)
        self.process = ServerProcess(
            "mlflow",
            [sys.executable, "-m", "mlflow", "server", *options],
            folder,
            environment={
                **s3.environment(),
                "MLFLOW_BACKEND_STORE_URI": database,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a queue for evaluating language models
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "OMP_NUM_THREADS": "1",
            },
        )

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process.start()
        self.process.wait(lambda: answers(self.port, "/health"), timeout=300)

    def stop(self) -> None:
        self.process.stop()


@contextmanager
def run_mlflow(postgres: Postgres, s3: S3, *, proxied: bool = True) -> Iterator[MlflowServer]:
    """A started server on a new database of `postgres` and a new prefix of `s3`'s bucket."""
    folder = Path(tempfile.mkdtemp(prefix="raykd-mlflow-"))
    server: MlflowServer | None = None
    try:
        database = postgres.create_database(folder.name.replace("-", "_"))
        server = MlflowServer(folder, database, s3, proxied=proxied)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
