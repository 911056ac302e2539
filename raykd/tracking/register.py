"""The best student as a registered model that MLflow alone can load and query, under the alias `champion`."""

from __future__ import annotations

import contextlib
import io
import logging
from importlib import metadata
from pathlib import Path

ALIAS = "champion"


def register(
    student: Path,
    *,
    name: str,
    run_id: str,
    tracking_uri: str,
    tags: dict[str, str],
    notes: tuple[str, str] = ("", ""),
) -> str:
    """Log the folder `student` as a model of run `run_id`, register it as `name`, and point the alias at it.

    notes: what MLflow's pages say of the model, where nobody has described it yet, and of the version, in Markdown.
    Returns the URI that loads it, ``models:/<name>@champion``. A model that already has these tags is not logged again.
    """
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    pins = [f"{package}=={metadata.version(package)}" for package in ("mlflow", "torch", "transformers", "pandas")]
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    client = mlflow.MlflowClient()
    known = client.search_model_versions(f"name = '{name}'")
    version = next((found.version for found in known if found.tags.items() >= tags.items()), None)
    if version is None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with mlflow.start_run(run_id=run_id):
                logged = mlflow.pyfunc.log_model(
                    name="student",
                    python_model=str(Path(__file__).with_name("served.py")),
                    artifacts={"student": str(student)},
                    pip_requirements=pins,
                )
            version = mlflow.register_model(logged.model_uri, name, tags=tags).version
    of_model, of_version = notes
    if of_model and not client.get_registered_model(name).description:
        client.update_registered_model(name, of_model)
    if of_version:
        client.update_model_version(name, version, of_version)
    client.set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}@{ALIAS}"
