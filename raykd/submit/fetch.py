"""The champion of a sweep that ran elsewhere, from wherever this machine can read it."""

from __future__ import annotations

import shutil
from pathlib import Path

from raykd import storage
from raykd.errors import UserError
from raykd.manifest import CARD
from raykd.outputs import OutputFolder, put_folder, staged
from raykd.paths import expand_home

CHAMPION = "champion"  # the folder of a sweep that holds its best student


def fetch_champion(target: OutputFolder, *, sweep: str, home: str, tracking_uri: str) -> Path:
    """Copy the champion of a sweep, from its home, else from MLflow.

    Args:
        target: Where to, a folder that was checked; what has come to lie there since stays.
        sweep: Its name.
        home: A URL, or a folder seen here; "" where it is not known here.
        tracking_uri: Of MLflow; "" where it is not known here.

    Returns:
        Where it lies: at the target, or beside it.

    Raises:
        UserError: It cannot be read from here; says where it lies.
    """
    with staged(target.path) as new:
        copy = new / CHAMPION
        problems = _copy_champion(copy, sweep, home, tracking_uri)
        if problems is None:
            return put_folder(copy, target)
    kept = storage.join(home, "sweeps", sweep, CHAMPION) if home else f"$RAYKD_HOME/sweeps/{sweep}/{CHAMPION}"
    raise UserError(*problems, f"not fetched: the champion lies on the cluster, in {kept}")


def _copy_champion(copy: Path, sweep: str, home: str, tracking_uri: str) -> list[str] | None:
    """Make the folder `copy`; why not, or None when it is there."""
    problems = []
    if home and storage.is_url(home):
        place = storage.join(home, "sweeps", sweep, CHAMPION)
        try:
            if storage.exists(place):
                storage.fetch(place, copy)
                return None
            problems.append(f"nothing lies at {place}")
        except storage.Away as error:
            problems.append(str(error))
    elif home and (folder := _newest(expand_home(home) / "sweeps" / sweep)) is not None:
        shutil.copytree(folder, copy)
        return None
    if tracking_uri.startswith(("http://", "https://")):
        from raykd.tracking.download import download_champion

        problem = download_champion(tracking_uri, sweep, copy)
        if problem is None:
            return None
        problems.append(problem)
    return problems


def _newest(sweep: Path) -> Path | None:
    """The champion in the folder of a sweep. Where somebody has put something beside it, later ones have a number."""
    cards = list(sweep.glob(f"{CHAMPION}*/{CARD}"))
    return max(cards, key=lambda file: file.stat().st_mtime).parent if cards else None
