"""The services as fixtures for the tests of this folder."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.services.fixtures import mlflow_server, postgres, s3
from tests.services.s3 import S3

__all__ = ["mlflow_server", "postgres", "s3"]


@pytest.fixture
def keys(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def client(keys: None) -> Any:
    return boto3.client("s3", config=Config(retries={"max_attempts": 1}, connect_timeout=5))
