"""Servers that a sweep writes to, away for a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.chaos.fault import Fault, Setting
from tests.chaos.sweep import Sweep
from tests.services.postgres import run_postgres
from tests.services.process import ServerProcess, answers, free_port
from tests.services.s3 import run_s3

AWAY_S = 15.0
MLFLOW, STUDY, STORE = "mlflow", "study", "store"


class Mlflow:
    """An MLflow server on SQLite, which can go away and come back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder)]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--serve-artifacts", *store]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-m", "mlflow", "server", *options]
        self.process = ServerProcess("mlflow", command, folder, environment={**quiet, "OMP_NUM_THREADS": "1"})

    def start(self) -> None:
        self.process.start()
        self.process.wait(lambda: answers(self.port, "/health"), timeout=300)

    def stop(self) -> None:
        self.process.stop()


@contextmanager
def mlflow(folder: Path) -> Iterator[Setting]:
    server = Mlflow(folder)
    server.start()
    try:
        yield Setting(environment={"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.port}"}, server=server)
    finally:
        server.stop()


@contextmanager
def study(folder: Path) -> Iterator[Setting]:
    with run_postgres() as server:
        server.create_database("chaos")
        address = server.address("chaos", driver="psycopg", password=False)
        yield Setting(extra=("--study-uri", address), environment={"PGPASSWORD": server.password}, server=server)


@contextmanager
def store(folder: Path) -> Iterator[Setting]:
    with run_s3() as server:
        yield Setting(home=f"s3://{server.bucket}/home", environment=server.environment(), server=server)


SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Setting]]] = {MLFLOW: mlflow, STUDY: study, STORE: store}


def take_away(sweep: Sweep, pid: int, setting: Setting) -> None:
    """Gone for some seconds, while the sweep goes on or waits."""
    assert setting.server is not None
    setting.server.stop()
    sweep.release()
    time.sleep(AWAY_S)
    setting.server.start()


FAULTS = (
    Fault("MLflow's server away for 15 s", take_away, needs=MLFLOW),
    Fault("Optuna's PostgreSQL away for 15 s", take_away, needs=STUDY),
    Fault("object store (the home) away for 15 s", take_away, needs=STORE),
)
