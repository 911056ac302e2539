"""What the benchmarks of orchestration share: a sweep without networks, reports without training, measured windows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.train.config import TaskSpec, Training
from tests.benchmarks.scale_noop import EVALUATIONS

# The dimensions of search_spaces/ckd.yaml without end, since its grid holds fewer points than there are trials here.
SPACE = Space(
    "endless-ckd",
    "",
    "",
    (
        Dimension("method", "fixed", ("ckd",)),
        Dimension("variant", "fixed", ("paper",)),
        Dimension("delta", "fixed", (10,)),
        Dimension("batch_size", "choice", (16, 32, 64)),
        Dimension("learning_rate", "log", (1e-5, 1e-3)),
        Dimension("epochs", "int", (2, 8)),
        Dimension("alpha", "float", (0.1, 0.9)),
        Dimension("temperature", "float", (1.0, 20.0)),
        Dimension("lambda_relation", "log", (0.1, 1000.0)),
        Dimension("lambda_ckd", "log", (0.1, 1000.0)),
    ),
)


def spec_of(trials: int, tracking_uri: str, *, concurrency: int = 100, sampler: str = "tpe") -> SweepSpec:
    """A sweep that needs no data and no network."""
    task = TaskSpec(name="rte", labels=("a", "b"), metrics=("accuracy",), primary="accuracy")
    return SweepSpec(
        name="scale", task=task, source="none", fingerprint="none", train="none", dev={}, teacher="none",
        teacher_name="none", teacher_score=0.9, teacher_parameters=1, student="cut:1", origin="none",
        student_parameters=1, space=SPACE.name, method="ckd", trials=trials, concurrency=concurrency, sampler=sampler,
        training=Training(evaluations=EVALUATIONS), tracking_uri=tracking_uri,
    )  # fmt: skip


@dataclass
class Windows:
    """Costs of the driver by windows of `every` trials. ahead: how much the mirrors are behind, in trials."""

    every: int
    rows: list[tuple[int, float, float, float, float, tuple[int, ...]]] = field(default_factory=list)
    _count: int = 0
    _peak: float = 0.0

    def __post_init__(self) -> None:
        self._mark()

    def _mark(self) -> None:
        self._wall, self._cpu, self._thread = time.perf_counter(), time.process_time(), time.thread_time()

    def called(self, seconds: float) -> None:
        """A call that a trial waits for took `seconds` of this thread."""
        self._peak = max(self._peak, seconds)

    def ended(self, *behind: int) -> None:
        """One more trial is over. To be called on the driver's thread."""
        self._count += 1
        if self._count % self.every:
            return
        n = self.every / 1000
        self.rows.append((
            self._count,
            (time.thread_time() - self._thread) / n,
            (time.process_time() - self._cpu) / n,
            (time.perf_counter() - self._wall) / n,
            resident(),
            behind,
        ))  # fmt: skip
        number, *costs, _ = self.rows[-1]
        print(f"{number:>8}", *(f"{cost:10.1f}" for cost in (*costs, 1000 * self._peak)), *behind, flush=True)
        self._peak = 0.0
        self._mark()


def resident() -> float:
    """MiB of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


HEADING = "  trials  driver ms     all ms    wall ms    RSS MiB longest ms mirrors behind (study, MLflow)"


def folder_bytes(folder: Path) -> int:
    """Size of all files below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
