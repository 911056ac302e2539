"""Environment variables that go along with a job: where things are, never a secret unless it was named."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from raykd.errors import UserError

PLACES = ("RAYKD_HOME", "MLFLOW_TRACKING_URI", "RAYKD_STUDY_URI")


def variables(named: list[str]) -> tuple[dict[str, str], list[str]]:
    """The variables to pass, and a line for each about it. Raises UserError for a `named` one that is not set."""
    missing = [name for name in named if name not in os.environ]
    if missing:
        raise UserError(*(f"--env {name}: not set here" for name in missing))
    passed = {name: os.environ[name] for name in named}
    notes = [f"passed: {name} (named by --env; whoever may read the cluster's jobs can read it)" for name in named]
    for name in PLACES:
        value = os.environ.get(name)
        if not value or name in passed:
            continue
        if "://" in value and urlsplit(value).password:
            notes.append(f"not passed: {name} holds a password; name it by --env {name} to send it all the same")
        elif name == "RAYKD_HOME" and "://" not in value and not Path(value).is_absolute():
            what = "in your home folder here" if value.startswith("~") else "below this one"
            notes.append(f"not passed: {name}={value} is a folder {what}; a cluster needs a full path or URL")
        else:
            passed[name] = value
            notes.append(f"passed: {name}={value}")
    if "RAYKD_HOME" not in passed:
        notes.append("RAYKD_HOME: the cluster's own; results are kept where it says")
    return passed, notes
