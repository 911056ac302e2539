"""MLflow's own pages on what raykd logged, on this machine only."""

from __future__ import annotations

import os
import subprocess
import sys

from raykd.errors import UserError
from raykd.workspace import here


def serve(port: int, tracking_uri: str | None) -> int:
    """Run ``mlflow ui`` on 127.0.0.1 until it is interrupted; returns its exit code."""
    uri = tracking_uri or here().tracking_uri
    if uri.startswith("sqlite:///") and not os.path.exists(uri.removeprefix("sqlite:///")):
        raise UserError(f"nothing was logged yet: there is no {uri.removeprefix('sqlite:///')}")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    artifacts = ["--default-artifact-root", here().artifacts.as_uri()]
    print(f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    try:
        return subprocess.call([*command, *artifacts, "--port", str(port), "--workers", "1"])
    except KeyboardInterrupt:
        return 0
