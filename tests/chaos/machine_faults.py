"""What can happen to a sweep on one machine, no servers needed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.fault import Fault, Setting
from tests.chaos.probe import MEMORY_ALWAYS, MEMORY_ONCE
from tests.chaos.sweep import Sweep

DISK = "disk"
FULL_S = 7.0  # the disk is full for as long


def kill_worker(sweep: Sweep, pid: int, setting: Setting) -> None:
    os.kill(pid, signal.SIGKILL)
    sweep.release()


def ask_worker(sweep: Sweep, pid: int, setting: Setting) -> None:
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.2)  # for the signal's handler
    sweep.release()


def kill_driver(sweep: Sweep, pid: int, setting: Setting) -> None:
    sweep.kill()
    sweep.resume()


def cut_state(sweep: Sweep, pid: int, setting: Setting) -> None:
    """The driver dies in the middle of a line of the journal, and the study loses its last third."""
    sweep.kill()
    journal = sorted((sweep.folder / "journal").glob("*.jsonl"))[-1]
    with journal.open("ab") as file:
        file.write(journal.read_bytes().splitlines()[-1][:-20])
    study = sweep.folder / "study.db"
    os.truncate(study, study.stat().st_size * 2 // 3)
    sweep.resume()


def flip_bit(sweep: Sweep, pid: int, setting: Setting) -> None:
    """The driver dies, and a bit of the newest whole checkpoint changes."""
    sweep.kill()
    newest = max(sweep.folder.glob("trials/*/checkpoint-*/state.safetensors"), key=lambda file: file.stat().st_mtime)
    with newest.open("r+b") as file:
        file.seek(newest.stat().st_size - 100)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))
    sweep.resume()


def fill_disk(sweep: Sweep, pid: int, setting: Setting) -> None:
    """Not a byte is left for some seconds, on the disk that holds everything of the sweep."""
    ballast = Path(setting.home) / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                if file.write(bytes(block)) < block:
                    block //= 2
            except OSError:
                block //= 2
    sweep.release()
    time.sleep(FULL_S)
    ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Setting]:
    """A home on a file system of its own; only root may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "raykd-chaos", str(folder)], check=True)
    try:
        yield Setting(home=str(folder))
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def nothing(sweep: Sweep, pid: int, setting: Setting) -> None:
    """The probe itself does the harm."""


FAULTS = (
    Fault("SIGKILL of a trial's worker", kill_worker, again=("died",)),
    Fault("SIGTERM of a trial's worker", ask_worker, again=("preempted",)),
    Fault("SIGKILL of the driver", kill_driver),
    Fault("driver killed, journal torn, study truncated", cut_state),
    Fault("driver killed, bit flipped in a checkpoint", flip_bit),
    Fault("out of memory, once", nothing, what=MEMORY_ONCE, again=("memory",), same=False),
    Fault(
        "out of memory, also at half", nothing, what=MEMORY_ALWAYS, again=("memory",), fails="out of memory", same=False
    ),
    Fault("disk full for 7 s", fill_disk, needs=DISK),
)
