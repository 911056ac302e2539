"""The folder that goes along with a job: which files, how large, and the archive that is sent."""

from __future__ import annotations

import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from raykd.errors import UserError
from raykd.submit.line import Line

LIMIT = 100 * 2**20  # bytes that a Ray dashboard takes in one request
# Python imports first of all from the folder that Ray unpacks, and would take a torch.py that is sent for torch. In a
# folder below it does no harm; the job's line begins by going there.
BELOW = "sent"
LEFT_OUT = {".git", ".venv", "venv", "node_modules", "__pycache__", "raykd-runs", "mlruns", "mlartifacts"}


@dataclass(frozen=True)
class Shipment:
    """The files of `folder` (relative paths) that go along."""

    folder: Path
    files: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes before compression."""
        return sum((self.folder / file).stat().st_size for file in self.files)

    def pack(self, archive: Path) -> None:
        """Write them into a zip, below the folder BELOW.

        Equal files give an equal archive: a cluster that has it already is not sent it again.

        Raises UserError for more than a dashboard takes.
        """
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for file in self.files:
                about = zipfile.ZipInfo(f"{BELOW}/{file.as_posix()}", date_time=(1980, 1, 1, 0, 0, 0))
                about.compress_type = zipfile.ZIP_DEFLATED
                about.external_attr = ((self.folder / file).stat().st_mode & 0o777) << 16
                target.writestr(about, (self.folder / file).read_bytes())
        if archive.stat().st_size > LIMIT:
            raise UserError(
                f"working-dir {self.folder}: {archive.stat().st_size / 2**20:.0f} MiB packed, a Ray dashboard takes "
                f"{LIMIT // 2**20} MiB: name what is not needed in .gitignore, or put data on the cluster's storage"
            )


def shipment(folder: Path) -> Shipment:
    """The files below `folder`: those that git does not ignore, or all of them where git has no say."""
    if not folder.is_dir():
        raise UserError(f"working-dir {folder}: no such folder")
    names = _known_to_git(folder)
    if names is None:
        names = [
            Path(where, name).relative_to(folder)
            for where, below, inside in os.walk(folder)
            for name in inside
            if below.sort() is None  # a fixed order; os.walk goes down the list it gave
        ]
    kept = [name for name in names if not LEFT_OUT & set(name.parts) and (folder / name).is_file()]
    return Shipment(folder, tuple(sorted(kept)))


def _known_to_git(folder: Path) -> list[Path] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return [Path(name) for name in found.stdout.split("\0") if name] if found.returncode == 0 else None


def places(line: Line, sent: Shipment | None, home: str | None) -> dict[str, str]:
    """Where the job finds each local path of `line`, relative to the folder it starts in.

    A full path outside the folder is left as it is: it may be storage that the cluster mounts too. Raises UserError for
    a path that only this machine has.
    """
    found, problems = {}, []
    for name in line.paths:
        path = Path(name).resolve()
        if sent is not None and path.is_relative_to(sent.folder.resolve()):
            inside = path.relative_to(sent.folder.resolve())
            if not any(file == inside or file.is_relative_to(inside) for file in sent.files):
                problems.append(f"'{name}' does not go along: it is ignored by .gitignore, or left out by its name")
            found[name] = inside.as_posix()
        elif not Path(name).is_absolute() and not (home and path.is_relative_to(Path(home).resolve())):
            where = "is outside the working-dir" if sent is not None else "is on this machine only"
            problems.append(
                f"'{name}' {where}: send its folder along with --working-dir, or give a full path or URL that the "
                "cluster reads too"
            )
        elif not Path(name).is_absolute():
            found[name] = str(path)
    if problems:
        raise UserError(*problems)
    return found
