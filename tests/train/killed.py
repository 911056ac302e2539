"""Runs that are killed by SIGKILL and started again, for test_killed.py: ``python -m tests.train.killed SETTING OUT``.

Each run is a process of its own, forked from this one, which imports what they need once. It writes a byte into a pipe
wherever it may be killed; this one waits for some number of them, a random moment more, and kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file
from torch import Tensor

from raykd.methods.recipe import Step
from raykd.train import checkpoint
from raykd.train.config import TaskSpec
from raykd.train.state import State
from tests.train.group import watched
from tests.train.setting import TRAINING, Setting, timeless, weights

PIECES = TRAINING.model_copy(update={"accumulation": 2})  # 12 steps of two micro-batches
MOMENTS = 10
WRITES = ["tensors half written", "tensors written", "sealed", "on the disk", "renamed"]


def train(setting: Setting, folder: Path, out: Path, tick: Callable[[], object]) -> None:
    """A whole run, or what is left of one; its weights and reports in `out`."""

    def look(_: Step, loss: Tensor) -> Tensor:
        tick()
        return loss

    student = setting.student()
    recipe = watched(setting.recipe("kd"), look)
    reports = setting.run(recipe, folder, student, training=PIECES, checkpoint_every=0.0)
    out.mkdir()
    save_file(weights(student), out / "weights.safetensors")
    (out / "reports.json").write_text(json.dumps([asdict(timeless(report)) for report in reports]))


def child(work: Callable[[Callable[[], object]], object]) -> tuple[int, int]:
    """Start `work` in a process; its id and the pipe of its ticks."""
    reading, writing = os.pipe()
    if number := os.fork():
        os.close(writing)
        return number, reading
    torch.set_num_threads(1)
    try:
        work(lambda: os.write(writing, b"."))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def finish(work: Callable[[Callable[[], object]], object]) -> None:
    number, reading = child(work)
    _, status = os.waitpid(number, 0)
    os.close(reading)
    assert status == 0, status


def kill(work: Callable[[Callable[[], object]], object], ticks: int, wait: float) -> bool:
    """Kill `work` `wait` seconds after its tick number `ticks`; whether it was still at it."""
    number, reading = child(work)
    for _ in range(ticks):
        if not os.read(reading, 1):
            break
    time.sleep(wait)
    os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    os.close(reading)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def slow_write(setting: Setting, folder: Path, out: Path, tick: Callable[[], object], moment: str) -> None:
    """A run that stops in the middle of writing its fifth checkpoint, at `moment`, and says so."""
    write, sync, written = checkpoint._write, checkpoint._sync, [0]

    def hang() -> None:
        tick()
        time.sleep(600)

    def counted(temporary: Path, state: State) -> None:
        written[0] += 1
        if written[0] == 5 and moment == WRITES[0]:
            (temporary / checkpoint.TENSORS).write_bytes(b"half")
            hang()
        write(temporary, state)

    def synced(path: Path) -> None:
        sync(path)
        at = {checkpoint.TENSORS: WRITES[1], checkpoint.ABOUT: WRITES[2], folder.name: WRITES[4]}.get(
            path.name, WRITES[3]
        )
        if written[0] == 5 and moment == at:
            hang()

    with mock.patch.object(checkpoint, "_write", counted), mock.patch.object(checkpoint, "_sync", synced):
        train(setting, folder, out, lambda: None)


def main(setting: Setting, out: Path) -> None:
    finish(lambda tick: train(setting, out / "run-whole", out / "whole", tick))
    told: dict[str, dict[str, Any]] = {}
    generator = random.Random(11)
    for number in range(MOMENTS):
        folder, end = out / f"run-{number}", out / f"moment-{number}"
        ticks, wait = generator.randrange(1, 24), generator.uniform(0.0, 0.02)
        killed = kill(lambda tick, f=folder, e=end: train(setting, f, e, tick), ticks, wait)  # type: ignore[misc]
        finish(lambda tick, f=folder, e=end: train(setting, f, e, tick) if not e.exists() else None)  # type: ignore[misc]
        told[end.name] = {"killed": killed, "ticks": ticks}
    for moment in WRITES:
        folder, end = out / f"run-{moment}", out / moment
        killed = kill(lambda tick, f=folder, e=end, m=moment: slow_write(setting, f, e, tick, m), 1, 0.0)  # type: ignore[misc]
        left = sorted(path.name for path in folder.iterdir())
        found = checkpoint.latest(folder)
        told[moment] = {
            "killed": killed,
            "left": left,
            "used": found and found.name,
            "then": sorted(path.name for path in folder.iterdir()),
        }
        finish(lambda tick, f=folder, e=end: train(setting, f, e, tick))  # type: ignore[misc]
    (out / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    where, output = sys.argv[1:]
    task = TaskSpec.model_validate_json((Path(output) / "task.json").read_text())
    main(Setting(Path(where), task), Path(output))
