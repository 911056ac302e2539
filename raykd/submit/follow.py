"""A job's log as it is written, through lost connections: a laptop that slept, a dashboard that was started again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from raykd.errors import UserError
from raykd.submit.cluster import ENDED, JobInfo, Unreachable

SILENCE = 60.0  # seconds without a line after which a new connection is made: a dead one looks just the same
LONGEST_PAUSE = 30.0


class Source(Protocol):
    """The part of a cluster that following needs."""

    def info(self, job: str) -> JobInfo | None: ...
    def log(self, job: str) -> str | None: ...
    def tail(self, job: str) -> AsyncIterator[str]: ...


@dataclass
class Printed:
    """Writes a log of which every connection sends the whole again; letters written once are not written again."""

    write: Callable[[str], None]
    count: int = 0

    def show(self, start: int, piece: str) -> None:
        """`piece` is what stands in the log from letter `start` on."""
        new = piece[max(0, self.count - start) :]
        if new:
            self.write(new)
            self.count += len(new)


def follow(
    cluster: Source,
    job: str,
    write: Callable[[str], None],
    note: Callable[[str], None],
    *,
    silence: float = SILENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> JobInfo | None:
    """Write the job's log until the job ends; how it ended, None if the cluster does not know it (any more).

    Raises UserError when the cluster refuses the token.
    """
    printed = Printed(write)
    pause, away = 1.0, False
    while True:
        before = printed.count
        trouble = _tail(cluster, job, printed, silence)
        try:
            info = cluster.info(job)
            if info is None or info.status in ENDED:
                if info is not None:
                    printed.show(0, _whole(cluster, job))
                return info
            if away:
                note("the cluster answers again")
            away = False
        except Unreachable as error:
            if not away:
                note(f"the cluster does not answer ({error or trouble}): the job goes on; trying again")
            away = True
        pause = 1.0 if printed.count > before or not away else min(2 * pause, LONGEST_PAUSE)
        sleep(pause)


def _whole(cluster: Source, job: str) -> str:
    """The log of an ended job, or nothing where its node has gone."""
    try:
        return cluster.log(job) or ""
    except (Unreachable, UserError):
        return ""


def _tail(cluster: Source, job: str, printed: Printed, silence: float) -> str:
    """One connection, until it ends, breaks or has been silent for `silence` seconds; what was wrong with it."""
    try:
        asyncio.run(_read(cluster.tail(job), printed, silence))
    except asyncio.TimeoutError:
        return "silent"
    except Exception as error:  # whatever the connection died of, the job's status is asked next
        return type(error).__name__
    return ""


async def _read(pieces: AsyncIterator[str], printed: Printed, silence: float) -> None:
    position = 0
    while True:
        piece = await asyncio.wait_for(anext(pieces, None), silence)
        if piece is None:
            return
        printed.show(position, piece)
        position += len(piece)
