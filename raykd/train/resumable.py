"""A training run at the command line: asked to end it goes at the next step, and whatever ends it says what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from raykd.errors import NoRoom
from raykd.interrupts import Interrupted, Request, request
from raykd.train.checkpoint import ABOUT, PREFIX
from raykd.train.leave import Preempted
from raykd.train.outcome import outcome_of


@contextmanager
def resumable(place: Path, say: Callable[[str], object]) -> Iterator[Request]:
    """The run that keeps its checkpoints under `place`, within the block; what is yielded is the run's `leave`.

    Args:
        place: the run's own folder.
        say: told from where a run goes on that was interrupted before.

    Raises:
        Interrupted: it was asked to end; `kept` says what stands.
        NoRoom: the disk is full; likewise.
    """
    if (step := newest_step(place)) is not None:
        say(f"going on from step {step} of an earlier run")
    with request() as asked:
        try:
            yield asked
        except Preempted:
            raise Interrupted(asked.number, kept=_kept(place)) from None
        except Interrupted as error:  # a second signal
            error.kept = error.kept or _kept(place)
            raise
        except Exception as error:
            if outcome_of(error)[0] != "disk":
                raise
            raise NoRoom(getattr(error, "filename", None) or place.parent, _kept(place)) from error


def newest_step(place: Path) -> int | None:
    """The step of the newest checkpoint, of any link of a chain."""
    found = sorted(place.glob(f"**/{PREFIX}*/{ABOUT}"), key=lambda file: file.stat().st_mtime)
    for file in reversed(found):
        try:
            return int(json.loads(file.read_text(encoding="utf-8"))["step"])
        except (ValueError, KeyError, TypeError):  # damaged: the run looks for the one before as well
            continue
    return None


def _kept(place: Path) -> str:
    step = newest_step(place)
    return "nothing of the training is kept yet" if step is None else f"what was trained up to step {step} is kept"
