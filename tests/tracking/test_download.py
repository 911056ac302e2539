"""A champion from MLflow's registry: that of the sweep asked for, whichever sweep holds the alias now."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from raykd.tracking.download import download_champion

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")


def test_the_right_sweep(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri, registry_uri=uri)
    client.create_registered_model("raykd-rte")
    for sweep in ("first", "second"):
        student = tmp_path / sweep / "artifacts" / "champion"
        student.mkdir(parents=True)
        (student / "raykd.json").write_text(sweep)
        (tmp_path / sweep / "MLmodel").write_text("x: 1")
        version = client.create_model_version("raykd-rte", (tmp_path / sweep).as_uri(), tags={"raykd.sweep": sweep})
        client.set_registered_model_alias("raykd-rte", "champion", version.version)
    for sweep in ("first", "second"):
        assert download_champion(uri, sweep, tmp_path / f"{sweep}-out") is None
        assert (tmp_path / f"{sweep}-out" / "raykd.json").read_text() == sweep
    assert "is of sweep 'third'" in (download_champion(uri, "third", tmp_path / "out") or "")
    assert "MLflow at" in (download_champion(uri, "a ' quote", tmp_path / "out") or "")
    assert not (tmp_path / "out").exists()
