"""A sweep's champion from an MLflow server's registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from raykd.tracking.register import ALIAS


def download_champion(tracking_uri: str, task: str, sweep: str, folder: Path) -> str | None:
    """Copy the student that `sweep` registered for `task` into `folder`; why not, or None when it is there.

    A later sweep of the task may have moved the alias, so the version's tag must name this one.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    name = f"raykd-{task}"
    try:
        client = mlflow.MlflowClient(tracking_uri, registry_uri=tracking_uri)
        version = client.get_model_version_by_alias(name, ALIAS)
        if version.tags.get("raykd.sweep") != sweep:
            ours = [v for v in client.search_model_versions(f"name = '{name}'") if v.tags.get("raykd.sweep") == sweep]
            if not ours:
                return f"no version of {name} at {tracking_uri} is of sweep '{sweep}'"
            version = max(ours, key=lambda one: int(one.version))
        with tempfile.TemporaryDirectory() as there:
            mlflow.set_tracking_uri(tracking_uri)
            model = f"models:/{name}/{version.version}"
            mlflow.artifacts.download_artifacts(model, dst_path=there, registry_uri=tracking_uri)
            students = [file.parent for file in Path(there).rglob("raykd.json")]
            if len(students) != 1:
                return f"{name} version {version.version} at {tracking_uri} holds no student of raykd"
            shutil.copytree(students[0], folder, dirs_exist_ok=True)
    except (MlflowException, OSError) as error:
        return f"MLflow at {tracking_uri}: {str(error).splitlines()[0]}"
    return None
