"""Hearing that this machine will be taken back, in time to save what was done.

A node that is to go is drained: Ray knows, and tells whoever asks. A single worker may also be asked by SIGTERM, which
Ray answers by ending the process at once; `listen`, run in every worker process before Ray sets that up, makes it wait.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ASK_EVERY_S = 1.0
LISTEN = "raykd.train.notice.listen"  # for Ray's worker_process_setup_hook

_asked = threading.Event()
_busy = threading.Event()  # while a trial runs here


def listen() -> None:
    """Let the first SIGTERM to this worker be a question, when a trial runs that can save itself."""
    import ray._private.utils as ray_utils

    def keep(theirs: Callable[[int, FrameType | None], Any]) -> None:
        def first(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, theirs)  # a second one ends the process
            if not _busy.is_set():
                theirs(number, frame)
            _asked.set()

        signal.signal(signal.SIGTERM, first)

    # Ray sets its own handler after this hook has run, through this function; there is no other way in between.
    ray_utils.__dict__["set_sigterm_handler"] = keep


@contextmanager
def leave_notice() -> Iterator[Callable[[], bool]]:
    """While the block runs: whether this process was asked to leave. Cheap to ask at every step."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    next_question = 0.0

    def leave() -> bool:
        nonlocal next_question
        if _asked.is_set():
            return True
        now = time.monotonic()
        if now < next_question:
            return False
        next_question = now + ASK_EVERY_S
        if node in ray._private.state.state.get_draining_nodes():
            _asked.set()
        return _asked.is_set()

    _busy.set()
    try:
        yield leave
    finally:
        _busy.clear()
