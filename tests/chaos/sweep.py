"""One sweep under test: started, held at a moment, hurt, let go, resumed; and what its journal said when."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.place import Place
from tests.chaos.probe import CASE, GO, HELD, HOLD, PLAN, RUNS, STEP, WRITE
from tests.chaos.processes import Driver, marked, sweep_away

# What is hurt, and when: with 320 rows a trial has 20 steps and reports after steps 3, 5, 8, 10, 13, 15, 18 and 20.
MOMENTS: dict[str, dict[str, Any]] = {
    "start": {"trial": "baseline", "point": STEP, "step": 2},  # before the first report of the sweep
    "middle": {"trial": "t0001", "point": STEP, "step": 4},  # two trials are done, the third has reported once
    "checkpoint": {"trial": "t0000", "point": WRITE, "step": 4},  # half of its file is written
}
END_S = 900.0  # a sweep that takes longer hangs
HELD_S = 600.0
LEAVE_S = 20.0  # processes have as long to go after their sweep has ended


@dataclass
class Sweep:
    """The sweep `name` of a place. home: RAYKD_HOME; extra, environment: what its command line gets besides."""

    place: Place
    name: str
    home: str = ""
    extra: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    drivers: list[Driver] = field(default_factory=list)
    watch: Watch | None = None

    def __post_init__(self) -> None:
        self.home = self.home or str(self.place.folder / "home")
        self.case = self.place.folder / "cases" / self.name
        self.case.mkdir(parents=True, exist_ok=True)
        self.environment = {**self.place.environment(self.home), CASE: str(self.case), **self.environment}

    @property
    def folder(self) -> Path:
        """The sweep's folder in its home, or the driver's working copy of it."""
        home = Path(self.home)
        if "://" in self.home:
            known = hashlib.sha256(self.home.encode()).hexdigest()[:16]
            home = Path(self.environment["RAYKD_CACHE"]) / "homes" / known
        return home / "sweeps" / self.name

    def start(self, moment: dict[str, Any] | None = None, what: str = HOLD) -> None:
        """Start it, planned to be held (or to fail, see the probe) at `moment`."""
        if moment is not None:
            (self.case / PLAN).write_text(json.dumps({"what": what, **moment}))
        self._run([*self.place.arguments, "--name", self.name, *self.extra])

    def resume(self, again: str = "--resume") -> None:
        """Start another driver that goes on."""
        self.release()  # nobody is to be held any more
        if again == "--continue":
            self._run([*self.place.arguments, "--name", self.name, *self.extra, again])
        else:
            address = self.extra[self.extra.index("--address") :][:2] if "--address" in self.extra else []
            self._run(["--task", "custom", "--name", self.name, *address, again])

    def _run(self, arguments: list[str]) -> None:
        log = self.case / f"driver-{len(self.drivers)}.log"
        self.drivers.append(Driver(["tune", *arguments], self.environment, self.place.folder, log))
        self.watch = self.watch or Watch(self.folder)

    def held(self) -> int:
        """Wait until the planned moment has come; the id of the process that is held."""
        file = self.case / HELD
        end = time.monotonic() + HELD_S
        while not file.exists():
            if not self.drivers[-1].running() or time.monotonic() > end:
                raise RuntimeError(f"the moment did not come:\n{self.output()[-3000:]}")
            time.sleep(0.02)
        return int(json.loads(file.read_text())["pid"])

    def release(self) -> None:
        """Let the held process go on, if it still lives."""
        (self.case / GO).touch()

    def wait(self) -> int:
        """The exit code of the newest driver, having ended."""
        return self.drivers[-1].wait(END_S)

    def kill(self) -> None:
        """SIGKILL for the driver's process group; what it started goes by itself."""
        self.drivers[-1].kill()
        self.gone()

    def gone(self) -> list[str]:
        """Wait for every process of the sweep to end; the titles of those that do not, having killed them."""
        end = time.monotonic() + LEAVE_S
        while left := marked(self.case):
            if time.monotonic() > end:
                sweep_away(self.case)
                return [title[:60] for title in left.values()]
            time.sleep(0.1)
        return []

    def output(self) -> str:
        """What its drivers printed."""
        return "\n".join(driver.output() for driver in self.drivers)

    def runs(self) -> list[dict[str, Any]]:
        """Every start of a trial in a worker, in order."""
        file = self.case / RUNS
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def close(self) -> None:
        """End everything."""
        for driver in self.drivers:
            driver.kill()
        if self.watch is not None:
            self.watch.end()
        sweep_away(self.case)


class Watch:
    """Notes when each line of the journal in `folder` appeared."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[tuple[float, dict[str, Any]]] = []
        self._folder = folder / "journal"
        self._read: dict[Path, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.wait(0.02):
            self.look()

    def look(self) -> None:
        """Read what is new. A line that was cut off again and one that was damaged are passed over."""
        for file in sorted(self._folder.glob("*.jsonl")):
            lines = file.read_bytes().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            for line in whole[self._read.get(file, 0) :]:
                self.seen.append((time.monotonic(), json.loads(line)))
            self._read[file] = len(whole)

    def first(self, after: float, wanted: Callable[[dict[str, Any]], bool]) -> float | None:
        """The moment of the first event after `after` that is `wanted`."""
        return next((at for at, event in list(self.seen) if at > after and wanted(event)), None)

    def end(self) -> None:
        self._done.set()
        self._thread.join()
