"""Whole folders to a store and from it, several files at a time."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

from raykd.errors import UserError
from raykd.storage.places import TEMPORARY, exists, files, get_file, put_file

AT_ONCE = 8
SEAL = "state.json"  # the file of a checkpoint that is sent last: a checkpoint without it is not finished
LISTINGS = 5  # a folder that changes while it is fetched is listed again, this often at most


def each(names: Iterable[str], act: Callable[[str, Event], None]) -> None:
    """`act(name, cancelled)` for every name, several at once. The first failure is raised and ends the others' waiting,
    and so does an exception in this thread, such as a signal's."""
    cancelled = Event()
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="storage") as pool:
        try:
            for done in as_completed([pool.submit(act, name, cancelled) for name in names]):
                done.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def local_files(folder: Path) -> dict[str, os.stat_result]:
    """Every regular file below `folder` by its relative path, unfinished ones left out."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not TEMPORARY.fullmatch(name)]
        for name in names:
            file = Path(place, name)
            if not TEMPORARY.fullmatch(name) and file.is_file():
                try:
                    found[file.relative_to(folder).as_posix()] = file.stat()
                except FileNotFoundError:  # removed since it was listed
                    continue
    return found


def seals_last(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names that seal nothing, and those that are to follow them."""
    ordered = sorted(names)
    return [n for n in ordered if n.split("/")[-1] != SEAL], [n for n in ordered if n.split("/")[-1] == SEAL]


def send(folder: Path, url: str) -> None:
    """Every file of `folder` to `url`; what is there under other names stays. FileNotFoundError if there is no folder
    or a file of it goes away meanwhile."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} to send to {url}")
    for names in seals_last(local_files(folder)):
        each(names, lambda name, cancelled: put_file(folder / name, url, name, cancelled))


def fetch(url: str, folder: Path) -> None:
    """The folder `url` as `folder`, which appears whole or not at all and takes the place of what was there.

    Raises UserError where there is no such folder.
    """
    if not exists(url):
        raise UserError(f"there is nothing at {url}")
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f"tmp-{folder.name}-{uuid.uuid4().hex}")
    former = folder.with_name(f"{temporary.name}-former")
    try:
        temporary.mkdir()
        download(url, temporary)
        if folder.exists():
            os.replace(folder, former)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def download(url: str, folder: Path) -> None:
    """Makes `folder` exactly what `url` holds, in place."""
    for last in (number == LISTINGS - 1 for number in range(LISTINGS)):
        listed = files(url)
        _prune(folder, set(listed))  # first: a file may be where a folder is to be
        try:
            each(listed, lambda name, cancelled: get_file(url, name, folder / name, cancelled))
        except FileNotFoundError:  # removed since it was listed, by the run that owns it
            if last:
                raise
            continue
        return


def _prune(folder: Path, keep: set[str]) -> None:
    """Removes every file that is not to be kept, and then every empty folder."""
    for place, folders, names in os.walk(folder, topdown=False):
        for name in [*names, *(name for name in folders if Path(place, name).is_symlink())]:
            file = Path(place, name)
            if file.relative_to(folder).as_posix() not in keep or file.is_symlink():
                file.unlink()
        if Path(place) != folder and not os.listdir(place):
            os.rmdir(place)
