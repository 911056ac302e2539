"""What became of a trial that did not reach its end, in one word and one line, so that the driver can tell a trial's
own fault from bad luck."""

from __future__ import annotations

import errno
from typing import Literal

import torch

from raykd.train.leave import Preempted

Why = Literal["failed", "preempted", "memory", "disk"]

MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
DISK = ("no space left on device", "disk quota exceeded")


class Lost(Exception):
    """A trial has to leave this worker, for a reason that is not its own fault: the kind, and a line about it.

    Raised out of a worker so that Ray drops the process: the next trial must not start in it.
    """

    def __init__(self, why: str, said: str) -> None:
        super().__init__(why, said)
        self.why, self.said = why, said


def outcome_of(error: BaseException) -> tuple[Why, str]:
    """The kind of `error`, and a line about it. torch and safetensors tell of memory and disk in words only."""
    line = next(iter(str(error).strip().splitlines()), "")
    text = str(error).lower()
    said = f"{type(error).__name__}: {line}" if line else type(error).__name__
    if isinstance(error, Preempted):
        return "preempted", line
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in text for sign in MEMORY):
        return "memory", said
    no_space = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if no_space or any(sign in text for sign in DISK):
        return "disk", said
    return "failed", said
