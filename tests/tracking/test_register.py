"""The champion in MLflow's registry: one version a champion, however often it is registered."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from raykd.tracking.register import register
from tests.tracking.faults import flaky
from tests.tracking.test_served import TASKS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google|pydantic)")

TAGS = {"raykd.sweep": "s", "raykd.trial": "t0001", "raykd.score": "0.900000"}


@pytest.fixture
def student(tmp_path: Path) -> Path:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "weights").write_text("x")
    return tmp_path / "student"


@pytest.fixture
def registry(tmp_path: Path) -> dict[str, Any]:
    """What `register` needs beside a student: a database with a run."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    experiment = client.create_experiment("raykd-rte", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    return {"name": "raykd-rte", "run_id": run, "tracking_uri": uri, "task": TASKS["number"]}


def versions(registry: dict[str, Any]) -> list[Any]:
    from mlflow import MlflowClient

    found = MlflowClient(registry["tracking_uri"]).search_model_versions("name = 'raykd-rte'")
    return sorted(found, key=lambda version: int(version.version))


def champion(registry: dict[str, Any]) -> str:
    from mlflow import MlflowClient

    client = MlflowClient(registry["tracking_uri"])
    return str(client.get_model_version_by_alias("raykd-rte", "champion").version)


@pytest.mark.filterwarnings("ignore")  # MLflow's own, about its own type hints and requirements
def test_a_champion_is_one_version(student: Path, registry: dict[str, Any]) -> None:
    assert register(student, tags=TAGS, **registry) == "models:/raykd-rte@champion"
    assert register(student, tags=TAGS, **registry) == "models:/raykd-rte@champion"
    assert [version.tags for version in versions(registry)] == [TAGS]
    other = TAGS | {"raykd.trial": "t0002"}
    register(student, tags=other, **registry)
    assert [version.tags for version in versions(registry)] == [TAGS, other]
    assert champion(registry) == "2"
    register(student, tags=TAGS, **registry)
    assert len(versions(registry)) == 2
    assert champion(registry) == "1"  # the alias goes back to what was asked for


@pytest.mark.filterwarnings("ignore")
def test_whatever_fails_on_the_way(student: Path, registry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    failures = flaky(monkeypatch, random.Random(1), chance=0.15)
    for _ in range(50):
        try:
            register(student, tags=TAGS, **registry)
            break
        except ConnectionError:
            continue
    else:
        pytest.fail("it never came through")
    monkeypatch.undo()
    assert failures
    assert [version.tags for version in versions(registry)] == [TAGS]
    assert champion(registry) == "1"


@pytest.mark.filterwarnings("ignore")
def test_one_that_earns_no_alias_is_a_version_and_the_alias_stays(student: Path, registry: dict[str, Any]) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    other = TAGS | {"raykd.trial": "t0002"}
    assert register(student, tags=other, alias=False, **registry) == "models:/raykd-rte/1"
    with pytest.raises(MlflowException, match="champion not found"):
        MlflowClient(registry["tracking_uri"]).get_model_version_by_alias("raykd-rte", "champion")
    register(student, tags=TAGS, **registry)
    third = TAGS | {"raykd.trial": "t0003"}
    notes = ("", "no better than always saying 'no'")
    assert register(student, tags=third, alias=False, notes=notes, **registry) == "models:/raykd-rte/3"
    assert champion(registry) == "2"
    assert [version.description for version in versions(registry)] == [None, None, notes[1]]
