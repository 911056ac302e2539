"""Where the tools are that deployments are checked with. Each may be absent; what needs it then skips and says so."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = ("local", "gpu", "production")
# `make lint-deploy` makes it from deploy/tools.txt.
TOOLS = Path(os.environ.get("RAYKD_DEPLOY_TOOLS", ROOT / ".venv-deploy"))
OLDEST_KUBECTL = (1, 27)  # the first with kustomize 5, whose replacements and components the overlays use


def tool(name: str) -> str:
    """Path of a program of the tools' own environment."""
    path = TOOLS / "bin" / name
    if not path.exists():
        pytest.skip(f"no {name} in {TOOLS}: make lint-deploy")
    return str(path)


def kustomize() -> list[str]:
    """The command that builds a folder."""
    if path := shutil.which("kustomize"):
        return [path, "build"]
    path = shutil.which("kubectl")
    if path is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    version = json.loads(run([path, "version", "--client", "--output=json"]).stdout)["clientVersion"]
    known = tuple(int(re.sub(r"\D.*", "", version[part])) for part in ("major", "minor"))
    if known < OLDEST_KUBECTL:
        pytest.skip(f"kubectl {known} is older than {OLDEST_KUBECTL}")
    return [path, "kustomize"]


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run it, return code unchecked."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
