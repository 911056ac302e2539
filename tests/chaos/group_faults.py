"""What can happen to a trial of two workers, whose resources must come back whoever of it dies."""

from __future__ import annotations

import os
import signal
import time

from tests.chaos.fault import GROUP, Fault, Setting
from tests.chaos.processes import marked
from tests.chaos.sweep import Sweep

# Titles of Ray's processes, as they show in a list of processes.
TUNE_ACTOR, CONTROLLER, WORKER = "ray::ImplicitFunc", "ray::TrainController", "ray::RayTrainWorker"


def _kill(sweep: Sweep, title: str, *, spare: int = 0) -> None:
    found = [pid for pid, own in marked(sweep.case).items() if own.startswith(title) and pid != spare]
    if not found:
        raise RuntimeError(f"no process is called {title}: {sorted(marked(sweep.case).values())}")
    os.kill(found[0], signal.SIGKILL)
    time.sleep(0.5)  # its workers hear of it before they go on
    sweep.release()


def kill_head(sweep: Sweep, pid: int, setting: Setting) -> None:
    _kill(sweep, TUNE_ACTOR)


def kill_controller(sweep: Sweep, pid: int, setting: Setting) -> None:
    _kill(sweep, CONTROLLER)


def kill_other(sweep: Sweep, pid: int, setting: Setting) -> None:
    _kill(sweep, WORKER, spare=pid)


FAULTS = (
    Fault("SIGKILL of a group's Tune actor", kill_head, kind=GROUP, again=("died",)),
    Fault("SIGKILL of a group's controller", kill_controller, kind=GROUP, again=("died",)),
    Fault("SIGKILL of one worker of a group", kill_other, kind=GROUP, again=("died",)),
)
