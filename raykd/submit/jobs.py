"""Sending a line once: a submission whose answer was lost, or that is sent again, finds the job it started."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from raykd.errors import UserError
from raykd.submit.cluster import ENDED, Cluster, JobInfo, Unreachable

TRIES = 6


@dataclass(frozen=True)
class Job:
    """What is to run: `sweep` is its name, `about` what --follow must know later."""

    sweep: str
    entrypoint: str
    environment: dict[str, Any] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, str]:
        """Kept with the job by the cluster."""
        return {"raykd.sweep": self.sweep, **self.about}


def send(
    cluster: Cluster, job: Job, note: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> tuple[str, bool]:
    """Start `job`, or find it running already; its id there, and whether it was started now.

    The id is the sweep's name; a sweep that is gone on with after its job ended gets name-2, name-3, ... Raises
    UserError: another line runs under this name, or the cluster does not answer.
    """
    for number in itertools.count(1):
        name = job.sweep if number == 1 else f"{job.sweep}-{number}"
        found = _patiently(lambda name=name: cluster.info(name), note, sleep)  # type: ignore[misc]
        if found is None:
            mine = _start(cluster, job, name, note, sleep)
            return name, mine
        if _runs(found, job, name):
            return name, False
    raise AssertionError("unreachable")


def _runs(found: JobInfo, job: Job, name: str) -> bool:
    """Whether the job called `name` is this one, running; UserError if another line runs this sweep."""
    if found.metadata.get("raykd.sweep") != job.sweep or found.status in ENDED:
        return False
    if found.entrypoint != job.entrypoint:
        raise UserError(
            f"job '{name}' runs already with another line: {found.entrypoint}",
            f"follow it by raykd submit --follow {name}, or take another --name",
        )
    return True


def _start(cluster: Cluster, job: Job, name: str, note: Callable[[str], None], sleep: Callable[[float], None]) -> bool:
    """Send it; an answer that does not come is asked for by the job's name before anything is sent again."""
    sent = False

    def once() -> bool:
        nonlocal sent
        if sent and cluster.info(name) is not None:
            return True
        sent = True
        try:
            cluster.send(name, job.entrypoint, job.environment, job.metadata)
        except FileExistsError:  # another process, or an earlier try of this one
            found = cluster.info(name)
            return found is not None and not _runs(found, job, name)
        return True

    return _patiently(once, note, sleep)


def _patiently(call: Callable[[], Any], note: Callable[[str], None], sleep: Callable[[float], None]) -> Any:
    for number in range(TRIES):
        try:
            return call()
        except Unreachable as error:
            if number == TRIES - 1:
                raise UserError(
                    f"the cluster does not answer ({error}); the same line may be sent again, it starts nothing twice"
                ) from None
            note(f"no answer ({error}); trying again")
            sleep(min(2.0**number, 10.0))
    raise AssertionError("unreachable")
