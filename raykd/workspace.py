"""Where raykd keeps what it makes: one folder, ``raykd-runs`` here unless RAYKD_HOME names another."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from raykd.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Workspace:
    """The folders under `root`: sweeps, teachers, tokenised data, and MLflow's own."""

    root: Path

    @property
    def sweeps(self) -> Path:
        """One folder a sweep."""
        return self.root / "sweeps"

    @property
    def teachers(self) -> Path:
        """Teachers that raykd fine-tuned, by what made them."""
        return self.root / "teachers"

    @property
    def cache(self) -> Path:
        """Tokenised splits, by content."""
        return self.root / "cache"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts when it logs to the local database."""
        return self.root / "mlartifacts"

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI, or a SQLite file in the workspace."""
        self.root.mkdir(parents=True, exist_ok=True)
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    def sweep(self, name: str) -> Path:
        """The folder of the sweep called `name`; UserError for a name that could leave it."""
        if not NAME.fullmatch(name) or ".." in name:
            raise UserError(f"sweep name '{name}': letters, digits, '.', '_' and '-' only, at most 80, no '..'")
        return self.sweeps / name


def here() -> Workspace:
    """The workspace of this process."""
    return Workspace(Path(os.environ.get("RAYKD_HOME", "raykd-runs")).absolute())
