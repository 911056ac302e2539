"""A server that does not outlive the process that started it, however that ends, nor do the processes it starts.

It runs in a session of its own, which ends as a whole. A signal that ends this process is heard here. `kill -9` cannot
be: a second process waits at a pipe whose other end closes with this one, and ends the session then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_S = 10.0  # for the server to end by itself
# Run with the standard library alone. A byte says that the session has ended already.
WATCHER = """
import os, signal, sys, time
group, grace = int(sys.argv[1]), float(sys.argv[2])
if not sys.stdin.buffer.read(1):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            break
        end = time.monotonic() + grace
        while time.monotonic() < end:
            time.sleep(0.1)
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                break
"""


def run_server(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> int:
    """Run `command` until it ends or this process is asked to.

    Args:
        command: the server.
        environment: its variables.
        folder: the one it works in; None: this process's own.

    Returns:
        The server's exit code.

    Raises:
        Interrupted: a signal came; all processes of the server have ended.
    """
    server = subprocess.Popen(command, env=dict(environment), cwd=folder, start_new_session=True)
    watcher = None
    try:
        watch = [sys.executable, "-I", "-c", WATCHER, str(server.pid), str(GRACE_S)]
        watcher = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)
        return server.wait()
    finally:
        _end(server)
        if watcher is not None and watcher.stdin is not None:
            try:
                watcher.stdin.write(b".")
                watcher.stdin.close()
            except BrokenPipeError:  # somebody ended it
                pass
            watcher.wait()


def _end(server: subprocess.Popen[bytes]) -> None:
    """End all of the server's session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signalled(server.pid, number):
            return
        end = time.monotonic() + GRACE_S
        while time.monotonic() < end:
            server.poll()  # or it would count, being dead, as one of the group
            if not _signalled(server.pid, 0):
                return
            time.sleep(0.1)


def _signalled(group: int, number: int) -> bool:
    """Send signal `number` to process group `group`; False if nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
