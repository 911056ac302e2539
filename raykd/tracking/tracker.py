"""What a sweep writes to MLflow: one experiment a task, a parent run a sweep, a nested run a trial.

Every write is a reconciliation: it finds the run by its tags, asks what the run already holds, and adds what is
missing from the trial's own log on disk. So a restored sweep adds no second run, a report written twice counts once,
and a server that was away is caught up with by the next write. All of it happens on one thread beside the sweep, so
no trial ever waits for MLflow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.methods import METHODS
from raykd.tracking.versions import provenance
from raykd.train.reports import read_reports

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from raykd.search.ledger import Entry
    from raykd.search.spec import SweepSpec

log = logging.getLogger(__name__)

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}  # Optuna's states in MLflow's words


def experiment_name(task: str) -> str:
    """The MLflow experiment that holds every sweep of `task`."""
    return f"raykd-{task}"


class Tracker:
    """Mirrors a sweep into MLflow at ``spec.tracking_uri``; artifacts of a local store go to `artifacts`."""

    def __init__(self, spec: SweepSpec, folder: Path, artifacts: Path) -> None:
        self.spec, self.folder, self.artifacts = spec, folder, artifacts
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow")
        self._pending: list[Future[None]] = []
        self._runs: dict[str, str] = {}
        self._written: dict[str, set[int]] = {}
        self._ended: dict[str, str] = {}
        self._submit(self._open)

    def _submit(self, work: Any, *args: Any) -> None:
        self._pending = [job for job in self._pending if not job.done()]
        self._pending.append(self._thread.submit(self._guard, work, *args))

    def _guard(self, work: Any, *args: Any) -> None:
        try:
            work(*args)
        except Exception as error:  # MLflow must never sink a sweep; the next write reconciles what this one missed
            log.warning("MLflow did not take %s: %s", work.__name__, error)

    def sync(self, entry: Entry) -> None:
        """Bring the run of one trial up to date, some time soon. Returns at once."""
        self._submit(self._sync, entry)

    def attach(self, files: list[Path]) -> None:
        """Keep `files` as artifacts of the sweep's own run."""
        self._submit(self._attach, files)

    def wait(self, timeout: float) -> bool:
        """Wait for everything submitted so far; False if it took longer than `timeout` seconds."""
        end = time.monotonic() + timeout
        while any(not job.done() for job in self._pending):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def close(self, status: str) -> None:
        """End the parent run with MLflow's `status` and stop the thread."""
        self._submit(self._end_parent, status)
        self._thread.shutdown(wait=True)

    @property
    def parent(self) -> str | None:
        """The id of the sweep's own run, once it exists."""
        return self._runs.get("")

    # Everything below runs on the thread.

    def _open(self) -> None:
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.ERROR)  # it tells of every table it makes
        logging.getLogger("alembic").setLevel(logging.ERROR)
        self._client: MlflowClient = MlflowClient(self.spec.tracking_uri)
        name = experiment_name(self.spec.task.name)
        found = self._client.get_experiment_by_name(name)
        local = self.spec.tracking_uri.startswith("sqlite:")
        location = self.artifacts.resolve().as_uri() if local else None
        self._experiment = found.experiment_id if found else self._client.create_experiment(name, location)
        spec = self.spec
        self._run(
            "",
            spec.name,
            params={
                "teacher": spec.teacher_name,
                "student": spec.student,
                "space": spec.space,
                "trials": spec.trials,
                "sampler": spec.sampler,
                "seed": spec.seed,
                "data": spec.source,
            },
            tags={"raykd.role": "sweep", **provenance()},
        )

    def _run(self, label: str, name: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The run of trial `label` ("" is the sweep itself), made if it is not there yet."""
        from mlflow.entities import Param

        if label in self._runs:
            return self._runs[label]
        where = f"tags.`raykd.sweep` = '{self.spec.uid}' and tags.`raykd.trial` = '{label}'"
        found = self._client.search_runs([self._experiment], where, max_results=1)
        if found:
            run = found[0].info.run_id
            if found[0].info.status != "RUNNING":
                self._client.update_run(run, status="RUNNING")
        else:
            own = {"raykd.sweep": self.spec.uid, "raykd.trial": label, "mlflow.runName": name}
            common = {
                "raykd.teacher": self.spec.teacher_name,
                "raykd.student": self.spec.student,
                "raykd.data": self.spec.fingerprint,
            }
            above = {"mlflow.parentRunId": self._runs[""]} if label else {}
            run = self._client.create_run(self._experiment, tags={**common, **tags, **above, **own}).info.run_id
            self._client.log_batch(run, params=[Param(key, str(value)[:6000]) for key, value in params.items()])
        self._runs[label] = run
        return run

    def _sync(self, entry: Entry) -> None:
        from mlflow.entities import Metric

        if "" not in self._runs:
            self._open()
        method = METHODS[entry.settings["method"]]
        params = self.spec.training.model_dump() | entry.settings
        tags = {"raykd.role": "trial", "raykd.method": method.name, "raykd.paper": method.paper}
        run = self._run(entry.label, f"{self.spec.name}/{entry.label}", params=params, tags=tags)
        if entry.label not in self._written:
            history = self._client.get_metric_history(run, "score")
            self._written[entry.label] = {metric.step for metric in history}
        written = self._written[entry.label]
        for report in read_reports(self.folder / "trials" / entry.label):
            step = round(100 * report["progress"])  # percent: trials of different length share one axis
            if step in written:
                continue
            values = {"score": report["score"], "progress": report["progress"], "seconds": report["seconds"]}
            now = int(time.time() * 1000)
            batch = [Metric(key, value, now, step) for key, value in (values | report["metrics"]).items()]
            self._client.log_batch(run, metrics=batch)
            written.add(step)
        state = entry.state.name.lower()
        if state in STATUS and self._ended.get(entry.label) != state:
            if entry.error:
                self._client.set_tag(run, "raykd.error", entry.error[:5000])
            self._client.set_tag(run, "raykd.state", state)
            self._client.set_terminated(run, STATUS[state])
            self._ended[entry.label] = state

    def _attach(self, files: list[Path]) -> None:
        for file in files:
            self._client.log_artifact(self._runs[""], str(file))

    def _end_parent(self, status: str) -> None:
        for label, run in self._runs.items():
            if label and label not in self._ended:  # interrupted; a resume sets it to running again
                self._client.set_tag(run, "raykd.state", "interrupted")
                self._client.set_terminated(run, "KILLED")
        if "" in self._runs:
            self._client.set_terminated(self._runs[""], status)
