"""The services as pytest fixtures, each started once for the files that import it (`from tests.services.fixtures ...`).

A test that stops a service starts it again. One that wants a service of its own uses `run_postgres()`, `run_s3()` and
`run_mlflow(postgres, s3)` as context managers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.mlflow_server import MlflowServer, run_mlflow
from tests.services.postgres import Postgres, run_postgres
from tests.services.s3 import S3, run_s3


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with run_s3() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(postgres: Postgres, s3: S3) -> Iterator[MlflowServer]:
    with run_mlflow(postgres, s3) as server:
        yield server
