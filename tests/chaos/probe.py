"""Inside the workers of a sweep under test: a checkpoint at every step, and a trial that waits at a chosen moment.

`write_site` makes a folder whose `sitecustomize` installs this in every Python process that has the folder in its
PYTHONPATH, so raykd itself has no door for tests. The moment is read from `plan.json` in the case's folder; the one
process that gets there first writes `held.json` and waits for the file `go`, or for its end, or fails as planned.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

CASE = "RAYKD_CHAOS_CASE"  # the case's folder, in the environment of every process of a sweep under test
PLAN, HELD, GO, RUNS = "plan.json", "held.json", "go", "runs.jsonl"
HOLD, MEMORY_ONCE, MEMORY_ALWAYS = "hold", "memory once", "memory always"
STEP, WRITE = "step", "write"

_label = ""  # of the trial that runs in this process


def write_site(folder: Path, root: Path) -> str:
    """A folder for PYTHONPATH that installs the probe; the variable's whole value. root: of the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text("from tests.chaos import probe\n\nprobe.install()\n")
    return os.pathsep.join([str(folder), str(root)])


def install() -> None:
    """Be there when raykd's modules are imported; nothing of raykd is imported by this."""
    if os.environ.get(CASE):
        sys.meta_path.insert(0, _After())


class _After(importlib.abc.MetaPathFinder):
    """Changes a few modules right after they were executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = CHANGES.get(fullname)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            plain = spec.loader.exec_module

            def changed(module: ModuleType) -> None:
                plain(module)
                change(module)

            spec.loader.exec_module = changed  # type: ignore[method-assign]
        return spec


def _change_trial(module: ModuleType) -> None:
    plain: Callable[..., Any] = module.run_trial

    def run_trial(spec: Any, report: Any, **handed: Any) -> Any:
        global _label
        _label = spec.label
        line = {"trial": spec.label, "pid": os.getpid(), "accumulation": spec.training.accumulation}
        with (_case() / RUNS).open("a") as file:
            file.write(json.dumps(line) + "\n")
        return plain(spec, report, **{"checkpoint_every": 0.0, **handed})

    module.run_trial = run_trial  # type: ignore[attr-defined]


def _change_leave(module: ModuleType) -> None:
    plain = module.Leaving.now

    def now(self: Any, step: int) -> bool:
        if self._world.main:
            _at(STEP, step, lambda: None)
        return bool(plain(self, step))

    module.Leaving.now = now


def _change_checkpoint(module: ModuleType) -> None:
    plain = module._write

    def write(temporary: Path, state: Any) -> None:
        tensors = temporary / module.TENSORS
        _at(WRITE, state.about["step"], lambda: tensors.write_bytes(b"half of what was to be"))
        plain(temporary, state)

    module._write = write  # type: ignore[attr-defined]


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "raykd.train.trial": _change_trial,
    "raykd.train.leave": _change_leave,
    "raykd.train.checkpoint": _change_checkpoint,
}


def _at(point: str, step: int, before: Callable[[], object]) -> None:
    """This process is at `point` of `step`: do what is planned for it, once in a sweep."""
    case = _case()
    try:
        plan = json.loads((case / PLAN).read_text())
    except OSError:
        return
    if (plan["trial"], plan["point"]) != (_label, point) or step < plan["step"]:
        return
    if plan["what"] != MEMORY_ALWAYS and (case / HELD).exists():
        return
    before()
    temporary = case / f"held-{os.getpid()}"
    temporary.write_text(json.dumps({"pid": os.getpid(), "trial": _label, "step": step}))
    try:
        os.link(temporary, case / HELD)
    except FileExistsError:
        if plan["what"] != MEMORY_ALWAYS:
            return
    finally:
        temporary.unlink()
    if plan["what"] != HOLD:
        import torch

        raise torch.OutOfMemoryError("out of memory, as planned by the test")
    while not (case / GO).exists():
        time.sleep(0.02)


def _case() -> Path:
    return Path(os.environ[CASE])
