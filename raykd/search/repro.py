"""Running one trial of a sweep again, to see that it gives the same."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from raykd import storage
from raykd.errors import UserError, unknown
from raykd.overlap import overlaps
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.read_story import find
from raykd.tasks.encoded import Encoded
from raykd.train.loop import Report
from raykd.workspace import here


@dataclass(frozen=True)
class Repeated:
    """A trial then and now, each by evaluation: the score, and every metric of the task."""

    label: str
    metric: str
    then: Mapping[int, Mapping[str, float]]
    now: Mapping[int, Mapping[str, float]]

    @property
    def same(self) -> bool:
        """Whether every number that both have is the same to the last digit, and there are equally many."""
        return self.then.keys() == self.now.keys() and all(
            value == self.now[number].get(name) or (math.isnan(value) and math.isnan(self.now[number].get(name, 0.0)))
            for number, values in self.then.items()
            for name, value in values.items()
        )


def repeat(label: str, sweep: str | None, task: str | None, console: Console) -> Repeated:
    """Run trial `label` of the sweep called `sweep` (or the newest, of `task`) again in a folder of its own, as far as
    it went. What the sweep stored of its teacher is used again, or stored anew if it has been removed. Rows of dev that
    the teacher has learnt from are said.

    Raises UserError for a trial that is not there, has reported nothing, or ran as a group of several workers, whose
    sums depend on who they are.
    """
    workspace = here()
    found = find(workspace, sweep, task)
    spec, space = found.read()
    ledger = Ledger(Journal(found.folder), spec, space, "")
    labels = [entry.label for entry in ledger.entries()]
    if label not in labels:
        raise UserError(f"sweep '{spec.name}' has no such trial: {unknown('trial', label, labels)}")
    reports = ledger.reports(label)
    if not reports:
        raise UserError(f"trial '{label}' of sweep '{spec.name}' has reported nothing to compare with")
    if spec.workers > 1:
        raise UserError(f"trial '{label}' ran on {spec.workers} workers; only trials of one worker can be repeated")
    from raykd.search import cluster, ray_tune
    from raykd.search.gather import gather
    from raykd.train.placed import placed
    from raykd.train.trial import run_trial

    spec = spec.reached(workspace.reach)
    with cluster.session(None, ray_tune.worker_environment(spec.threads)):
        spec = gather(spec, space, workspace, shutil.disk_usage(workspace.root).free // 2, console, noted=False)
    ledger.spec = spec
    dev = {name: Encoded.open(Path(storage.at_hand(folder))).hashes for name, folder in spec.dev.items()}
    for _, sentence in overlaps("teacher", Path(storage.at_hand(spec.teacher)), dev).values():
        console.print(f"warning: {sentence}: scores on them promise too much", markup=False)
    last = max(report["evaluation"] for report in reports)
    now: dict[int, Mapping[str, float]] = {}

    def tell(report: Report) -> bool:
        now[report.evaluation] = _numbers({"score": report.score, "metrics": report.metrics})
        console.print(f"{report.progress:4.0%} trained, {spec.task.primary} {report.score:.4f}")
        return report.evaluation < last or report.progress == 1.0

    with tempfile.TemporaryDirectory() as scratch:
        trial = ledger.spec_of(label).model_copy(update={"folder": str(Path(scratch) / label)})
        with placed(trial) as (local, _):
            run_trial(local, tell)
    then = {report["evaluation"]: _numbers(report) for report in reports}
    return Repeated(label, spec.task.primary, then, now)


def _numbers(report: Mapping[str, Any]) -> dict[str, float]:
    """The score and the metrics on splits; the means of losses begin anew where a run went on from a checkpoint."""
    metrics = {name: value for name, value in report["metrics"].items() if not name.startswith("train/")}
    return {"score": report["score"], **metrics}
