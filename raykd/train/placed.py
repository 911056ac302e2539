"""A trial's folders on the machine that runs it, wherever the workspace lies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from raykd import storage
from raykd.errors import UserError
from raykd.train.config import TrialSpec


@contextmanager
def placed(spec: TrialSpec) -> Iterator[tuple[TrialSpec, Callable[[], object]]]:
    """`spec` with local folders, and what to call when the trial has written something that is to last.

    What a trial reads (teacher, splits) is fetched from an object store once a machine and kept. Its own folder is a
    working copy then, brought up to date from the store first.
    """
    reads = {"train": spec.train, "teacher": spec.teacher, "origin": spec.origin} | (
        {"corpus": spec.corpus} if spec.corpus is not None else {}
    )
    local: dict[str, object] = {name: str(storage.at_hand(place)) for name, place in reads.items()}
    local["dev"] = {name: str(storage.at_hand(place)) for name, place in spec.dev.items()}
    local["knowledge"] = tuple(str(found) for place in spec.knowledge if (found := _copy(place)) is not None)
    if storage.is_url(spec.student):  # a given one; others are made from `origin`
        local["student"] = str(storage.at_hand(spec.student))
    if not storage.is_url(spec.folder):
        yield spec.model_copy(update=local), lambda: None
        return
    work = storage.cache_folder() / "work"
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{spec.label}-", dir=work))
    mirror = storage.Mirror(folder, spec.folder)
    try:
        mirror.pull()
        yield spec.model_copy(update={**local, "folder": str(folder)}), mirror.push
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(place: str) -> Path | None:
    """What is stored of the teacher; None where it has gone: the teacher is asked itself then."""
    try:
        return storage.nearby(place)
    except (UserError, OSError):
        return None
