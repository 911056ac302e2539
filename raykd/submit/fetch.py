"""The champion of a sweep that ran elsewhere, from wherever this machine can read it."""

from __future__ import annotations

import shutil
from pathlib import Path

from raykd import storage
from raykd.errors import UserError

CHAMPION = "champion"  # the folder of a sweep that holds its best student


def check_target(folder: Path) -> None:
    """UserError unless `folder` is absent or empty."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise UserError(f"fetch {folder}: exists already; name a new or empty folder")


def fetch_champion(folder: Path, *, sweep: str, home: str, tracking_uri: str) -> None:
    """Copy the champion of `sweep` into `folder`, from its home (a URL, or a folder seen here), else from MLflow.

    home and tracking_uri are "" where they are not known here. Raises UserError that says where it lies.
    """
    tried = []
    if home and storage.is_url(home):
        place = storage.join(home, "sweeps", sweep, CHAMPION)
        try:
            if storage.exists(place):
                storage.fetch(place, folder)
                return
            tried.append(f"nothing lies at {place}")
        except storage.Away as error:
            tried.append(str(error))
    elif home and (at := Path(home, "sweeps", sweep, CHAMPION)).is_dir():
        shutil.copytree(at, folder, dirs_exist_ok=True)
        return
    if tracking_uri.startswith(("http://", "https://")):
        from raykd.tracking.download import download_champion

        problem = download_champion(tracking_uri, sweep, folder)
        if problem is None:
            return
        tried.append(problem)
    kept = storage.join(home, "sweeps", sweep, CHAMPION) if home else f"$RAYKD_HOME/sweeps/{sweep}/{CHAMPION}"
    raise UserError(*tried, f"not fetched: the champion lies on the cluster, in {kept}")
