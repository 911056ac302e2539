"""Where raykd keeps what it makes: one place, ``raykd-runs`` here unless RAYKD_HOME names another folder or a URL."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from raykd import storage
from raykd.errors import UserError
from raykd.paths import expand_address, expand_home

DATABASE = "mlflow.db"
TAUGHT = re.compile(r"[0-9a-f]{16}(\.lock)?")  # a teacher that raykd fine-tuned by itself, by what made it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
HOME = "home:"  # begins the name of something in the workspace, wherever that lies
WHOLE = ".raykd-whole"  # stands in a folder of an object store once all of it is there


@dataclass(frozen=True)
class Workspace:
    """The folders under `root`: sweeps, teachers, tokenised data, and MLflow's own.

    url: where the workspace lies when that is an object store; `root` is then this machine's working copy of it.
    """

    root: Path
    url: str | None = None

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
    def knowledge(self) -> Path:
        """What teachers said of training splits, by content."""
        return self.root / "knowledge"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts when it logs to the local database."""
        return self.root / "mlartifacts"

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI, or a SQLite file in the workspace."""
        self.root.mkdir(parents=True, exist_ok=True)
        named = os.environ.get("MLFLOW_TRACKING_URI")
        return expand_address(named) if named else f"sqlite:///{(self.root / DATABASE).resolve()}"

    @property
    def closed(self) -> dict[str, Path]:
        """What is raykd's alone, by what it holds: no output of a command may be there, or lie in it."""
        names = {
            "sweeps": self.sweeps,
            "tokenised data": self.cache,
            "what teachers said": self.knowledge,
            "the builders of that": self.root / "builders",
            "copies of models": self.root / "models",
            "MLflow's artifacts": self.artifacts,
            "MLflow's database": self.root / DATABASE,
        }
        taught = sorted(path for path in self.teachers.glob("*") if TAUGHT.fullmatch(path.name))
        return names | {f"the taught teacher {path.name}": path for path in taught}

    @property
    def shelves(self) -> dict[str, Path]:
        """Folders that outputs lie in, by what they are: none may be in their place."""
        names = {"teachers": self.teachers, "students": self.root / "students", "analyses": self.root / "analyses"}
        return {"raykd's own folder": self.root} | {f"raykd's folder of {name}": path for name, path in names.items()}

    def sweep(self, name: str) -> Path:
        """The folder of the sweep called `name`; UserError for a name that could leave it."""
        if not NAME.fullmatch(name) or ".." in name:
            raise UserError(f"sweep name '{name}': letters, digits, '.', '_' and '-' only, at most 80, no '..'")
        return self.sweeps / name

    def place(self, folder: Path) -> str:
        """Where everyone finds `folder` of the workspace: its path, or its URL."""
        if self.url is None:
            return str(folder)
        return storage.join(self.url, *folder.relative_to(self.root).parts)

    def publish(self, folder: Path, *, copy: bool = False) -> str:
        """A name for `folder` under which every machine finds it, now and later.

        A folder of the workspace is named in it; another one stays where it is, unless `copy`, or the workspace lies
        in an object store: then it is copied in, once.
        """
        folder = folder.absolute()
        inside = folder.is_relative_to(self.root)
        if not inside and not copy and self.url is None:
            return str(folder)
        local = folder if inside else self.root / "models" / _stamp(folder)
        name = HOME + local.relative_to(self.root).as_posix()
        if self.url is None:
            if not inside and not local.is_dir():
                temporary = local.with_name(f"tmp-{uuid.uuid4().hex}")
                shutil.copytree(folder, temporary)
                try:
                    temporary.rename(local)
                except OSError:  # another process was first
                    shutil.rmtree(temporary)
                    if not local.is_dir():
                        raise
            return name
        whole = storage.join(self.place(local), WHOLE)
        if not storage.exists(whole):
            storage.send(folder, self.place(local))
            storage.write_text(whole, "")
        return name

    def recall(self, folder: Path) -> bool:
        """Whether `folder` of the workspace is here, fetched from the object store if need be."""
        if not folder.is_dir() and self.url is not None and storage.exists(storage.join(self.place(folder), WHOLE)):
            storage.fetch(self.place(folder), folder)
        return folder.is_dir()

    def reach(self, name: str) -> str:
        """The path or URL of what `publish` named. UserError for a name that leaves the workspace."""
        if not name.startswith(HOME):
            return name
        return storage.join(self.url or str(self.root), *name.removeprefix(HOME).split("/"))


def here() -> Workspace:
    """The workspace of this process. Raises UserError for a URL that raykd cannot use."""
    home = os.environ.get("RAYKD_HOME") or "raykd-runs"
    if not storage.is_url(home):
        return Workspace(expand_home(home).absolute())
    storage.check_url(home)
    known = hashlib.sha256(home.encode()).hexdigest()[:16]
    return Workspace(storage.cache_folder() / "homes" / known, home.rstrip("/"))


def _stamp(folder: Path) -> str:
    """A name for `folder` as it is now: another one when a file of it changes."""
    files = sorted((str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in folder.rglob("*"))
    return f"{folder.name[:40]}-{hashlib.sha256(repr((str(folder), files)).encode()).hexdigest()[:12]}"
