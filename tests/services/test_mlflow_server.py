"""A real MLflow server on PostgreSQL and S3: logs, goes away with what it stands on, and has forgotten nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.services.mlflow_server import MlflowServer, run_mlflow
from tests.services.postgres import Postgres
from tests.services.s3 import S3

pytestmark = [pytest.mark.services, pytest.mark.slow]

AWAY = 3.0  # seconds
BIG = np.random.default_rng(0).bytes(20 << 20)


def log_a_run(server: MlflowServer, artifact: Path) -> tuple[MlflowClient, str]:
    client = MlflowClient(server.uri)
    run = client.create_run(client.create_experiment("e"))
    client.log_metric(run.info.run_id, "accuracy", 0.75, step=3)
    client.log_artifact(run.info.run_id, str(artifact), "files")
    return client, run.info.run_id


def test_mlflow_through_its_proxy(
    mlflow_server: MlflowServer, postgres: Postgres, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)  # this client has no keys
    (tmp_path / "big.bin").write_bytes(BIG)
    client, run = log_a_run(mlflow_server, tmp_path / "big.bin")
    for service in (mlflow_server, postgres, s3):
        service.stop()
    time.sleep(AWAY)
    for service in (s3, postgres, mlflow_server):
        service.start()
    assert client.get_run(run).data.metrics == {"accuracy": 0.75}
    path = mlflow.artifacts.download_artifacts(
        run_id=run, artifact_path="files/big.bin", dst_path=str(tmp_path / "back"), tracking_uri=mlflow_server.uri
    )
    assert Path(path).read_bytes() == BIG


def test_mlflow_survives_its_database_going_away(mlflow_server: MlflowServer, postgres: Postgres) -> None:
    client = MlflowClient(mlflow_server.uri)
    run = client.create_run(client.create_experiment("database away")).info.run_id
    postgres.stop()
    time.sleep(AWAY)
    postgres.start()
    client.log_metric(run, "loss", 1.5)
    assert client.get_run(run).data.metrics == {"loss": 1.5}


def test_mlflow_with_direct_access(postgres: Postgres, s3: S3, client: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("seventeen")
    with run_mlflow(postgres, s3, proxied=False) as server:
        mlflow_client, run = log_a_run(server, tmp_path / "note.txt")
        where = mlflow_client.get_run(run).info.artifact_uri
    assert where.startswith(f"s3://{s3.bucket}/")
    key = where.removeprefix(f"s3://{s3.bucket}/") + "/files/note.txt"
    assert client.get_object(Bucket=s3.bucket, Key=key)["Body"].read() == b"seventeen"
