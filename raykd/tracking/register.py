"""The best student as a registered model that MLflow alone can load and query, under the alias `champion` if it earns
that."""

from __future__ import annotations

import contextlib
import io
import logging
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from raykd.tracking.signature import example_of, signature_of

if TYPE_CHECKING:
    from raykd.train.config import TaskSpec

ALIAS = "champion"


def register(
    student: Path,
    *,
    name: str,
    run_id: str,
    tracking_uri: str,
    tags: dict[str, str],
    task: TaskSpec,
    notes: tuple[str, str] = ("", ""),
    alias: bool = True,
) -> str:
    """Log the folder `student` as a model of run `run_id` and register it as `name`.

    Args:
        student: A folder with a card.
        name: Of the registered model.
        run_id: The run that the model is logged to.
        tracking_uri: Of MLflow, and of its registry.
        tags: Of the version. A model that already has them is not logged again.
        task: What the student has learnt.
        notes: What MLflow's pages say of the model, where nobody has described it yet, and of the version, in Markdown.
        alias: Whether the alias is to point at it; without, it stays where it is.

    Returns:
        The URI that loads it, ``models:/<name>@champion``, or without the alias ``models:/<name>/<version>``.
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
                    signature=signature_of(task),
                    input_example=example_of(task),
                )
            version = mlflow.register_model(logged.model_uri, name, tags=tags).version
    of_model, of_version = notes
    if of_model and not client.get_registered_model(name).description:
        client.update_registered_model(name, of_model)
    if of_version:
        client.update_model_version(name, version, of_version)
    if not alias:
        return f"models:/{name}/{version}"
    client.set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}@{ALIAS}"
