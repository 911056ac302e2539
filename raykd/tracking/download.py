"""A sweep's champion from an MLflow server's registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def download_champion(tracking_uri: str, sweep: str, folder: Path) -> str | None:
    """Copy the student that `sweep` registered to `folder`, which is not there; why not, or None when it is there.

    A later sweep of the task may have moved the alias, so it is the version's tag that names the sweep.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        client = mlflow.MlflowClient(tracking_uri, registry_uri=tracking_uri)
        versions = client.search_model_versions(f"tags.`raykd.sweep` = '{sweep}'")
        if not versions:
            return f"no registered model at {tracking_uri} is of sweep '{sweep}'"
        version = max(versions, key=lambda version: version.creation_timestamp)
        name = version.name
        with tempfile.TemporaryDirectory() as there:
            mlflow.set_tracking_uri(tracking_uri)
            model = f"models:/{name}/{version.version}"
            mlflow.artifacts.download_artifacts(model, dst_path=there, registry_uri=tracking_uri)
            students = [file.parent for file in Path(there).rglob("raykd.json")]
            if len(students) != 1:
                return f"{name} version {version.version} at {tracking_uri} holds no student of raykd"
            shutil.copytree(students[0], folder)
    except (MlflowException, OSError) as error:
        return f"MLflow at {tracking_uri}: {str(error).splitlines()[0]}"
    return None
