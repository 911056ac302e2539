"""A small parent for one server, so that no server outlives the test run, however that ends.

Run as a script: `python keeper.py FOLDER USER COMMAND...` (USER "-": whoever runs it). It starts the command in a
process group of its own, passes SIGTERM and SIGINT on to it, and kills the group at SIGUSR1. When the process that
started the keeper is gone (even by SIGKILL) the server is stopped and FOLDER removed; when the keeper itself is killed,
the kernel kills the server. A process between the two is simpler than the same calls in the tests: those have threads
by the dozen, code between fork and exec is not safe there, and by "parent" the kernel means the thread that forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.1  # seconds between two looks at the parent
GRACE = 15.0  # seconds that an orphaned server has to end by itself


def die_with_keeper() -> None:
    """In the child, after its user was changed (that would clear the setting) and before exec."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())  # the keeper blocks signals while it starts the server
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(user: str, command: list[str]) -> subprocess.Popen[bytes]:
    if user == "-":
        return subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_keeper)
    entry = pwd.getpwnam(user)
    return subprocess.Popen(
        command,
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        start_new_session=True,
        preexec_fn=die_with_keeper,
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """SIGINT (PostgreSQL's fast shutdown), and SIGKILL for what is left after the grace."""
    child.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Daemons that moved to a session of their own are no longer in the group: the child itself is killed by number."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.poll() is None:
        child.kill()


def main() -> int:
    parent = os.getppid()
    folder, user, *command = sys.argv[1:]
    asked = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)  # one that comes before the server runs waits until it does
    child = start(user, command)

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            kill_group(child)
        elif child.poll() is None:
            child.send_signal(number)

    for number in asked:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, asked)
    orphaned = False
    while child.poll() is None and not orphaned:
        orphaned = os.getppid() != parent
        time.sleep(LOOK_EVERY)
    if orphaned:
        end(child)
    kill_group(child)  # children that the server left behind, if any
    if orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
