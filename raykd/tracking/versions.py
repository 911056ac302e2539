"""Where a result came from: the versions that made it, and raykd's commit if it runs from a checkout."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path


def provenance() -> dict[str, str]:
    """Tags for a run: ``raykd.version``, ``raykd.commit`` where known, and the versions of torch and transformers.

    The commit stands twice: MLflow shows it under its own name as part of the source.
    """
    tags = {f"raykd.{name}": metadata.version(name) for name in ("torch", "transformers", "ray", "optuna")}
    try:
        tags["raykd.version"] = metadata.version("raykd")
    except metadata.PackageNotFoundError:
        tags["raykd.version"] = "source"
    found = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    commit = found.stdout.strip()
    return tags | ({"raykd.commit": commit, "mlflow.source.git.commit": commit} if found.returncode == 0 else {})
