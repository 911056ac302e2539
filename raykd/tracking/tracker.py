"""What a sweep writes to MLflow: one experiment a task, a parent run a sweep, a nested run a trial.

Every write is a reconciliation: it finds the run by its tags, asks what the run already holds, and adds what is
missing. So a restored sweep adds no second run, a report written twice counts once, and a server that was away is
caught up with when it is back. All of it happens on one thread beside the sweep, so no trial ever waits for MLflow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from raykd.methods import METHODS
from raykd.tracking import about
from raykd.tracking.reconcile import Reconciler
from raykd.tracking.refusal import is_refusal
from raykd.tracking.register import register
from raykd.tracking.versions import provenance

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from raykd.search.entry import Entry
    from raykd.search.spec import SweepSpec

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}  # Optuna's states in MLflow's words
BATCH = 1000  # metrics that MLflow takes at once
SWEEP = ""  # what the sweep's own run is called among the labels of trials


class Book(Protocol):
    """The sweep as its ledger holds it."""

    def entry(self, label: str) -> Entry:
        """Trial `label`."""

    def reports(self, label: str) -> list[dict[str, Any]]:
        """Everything trial `label` reported, in order."""


@dataclass(frozen=True)
class Conclusion:
    """What a sweep ends with: MLflow's status, its scores by name, files to keep, the champion's folder and tags, the
    result in Markdown, and why the alias `champion` is not for this one, if so."""

    status: str
    scores: Mapping[str, float]
    files: tuple[Path, ...] = ()
    student: Path | None = None
    tags: Mapping[str, str] | None = None
    note: str = ""
    refused: str = ""


def experiment_name(task: str) -> str:
    """The MLflow experiment that holds every sweep of `task`."""
    return f"raykd-{task}"


def make_client(uri: str) -> MlflowClient:
    """Of MLflow at `uri`, which says nothing by itself and gives up on a server soon."""
    # Its own retries would hold up everything behind them for minutes; the reconciler's do not.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines at the end of each run
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # it tells of every table; its errors are raised as well
    logging.getLogger("alembic").setLevel(logging.ERROR)
    return MlflowClient(uri, registry_uri=uri)


def open_experiment(client: MlflowClient, uri: str, name: str, artifacts: Path) -> str:
    """The id of experiment `name`, made if it is not there yet; `artifacts` of a local database go there."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifacts.resolve().as_uri() if uri.startswith("sqlite:") else None))


class Tracker:
    """Mirrors `book` into MLflow at ``spec.tracking_uri``; artifacts of a local store go to `artifacts`."""

    def __init__(self, spec: SweepSpec, book: Book, artifacts: Path, say: Callable[[str], object]) -> None:
        self.spec, self.book, self.artifacts = spec, book, artifacts
        self.model: str | None = None  # URI of the registered champion, once it is
        self._client: MlflowClient | None = None
        self._runs: dict[str, str] = {}
        self._written: dict[str, set[int]] = {}  # steps of the runs that are still open
        self._ended: dict[str, str] = {}
        self._doubted: set[str] = set()  # runs that may be there, and hold who knows what
        self._conclusion: Conclusion | None = None
        self._concluded = 0  # milliseconds: a score that is written twice is the same point
        self._reconciler = Reconciler("MLflow", self._sync, say, is_refusal)
        self._reconciler.touch(SWEEP)

    @property
    def refusal(self) -> str:
        """What MLflow refuses for good, in brackets; empty where it refuses nothing."""
        return f" ({self._reconciler.refusal})" if self._reconciler.refusal else ""

    def touch(self, label: str) -> None:
        """Bring the run of trial `label` up to date, some time soon. Returns at once."""
        self._reconciler.touch(label)

    @property
    def page(self) -> str | None:
        """Where a browser finds the sweep's runs, when MLflow is a server."""
        if not self._runs or not self.spec.tracking_uri.startswith("http"):
            return None
        # Without the query MLflow opens its page for language model applications.
        return f"{self.spec.tracking_uri}/#/experiments/{self._experiment}?workflowType=machine_learning"

    def conclude(
        self, conclusion: Conclusion, timeout: float, waiting: Callable[[int], object] = lambda left: None
    ) -> int:
        """Write how the sweep ended, and wait for MLflow; returns the number of runs it does not hold yet. waiting: see
        Reconciler.close."""
        self._conclusion, self._concluded = conclusion, int(1000 * time.time())
        for label in list(self._runs):
            if label and label not in self._ended:
                self._reconciler.touch(label)
        self._reconciler.touch(SWEEP)
        return self._reconciler.close(timeout, waiting)

    # Everything below runs on the reconciler's thread.

    def _sync(self, label: str) -> None:
        try:
            self._open()
            if label == SWEEP:
                self._sync_sweep()
            else:
                self._sync_trial(self.book.entry(label))
        except Exception:
            self._written.pop(label, None)  # whether the last write arrived is asked for anew
            self._runs.pop(label, None)
            self._doubted.add(label)
            raise

    def _open(self) -> None:
        if self._client is not None:
            return
        client = make_client(self.spec.tracking_uri)
        name = experiment_name(self.spec.task.name)
        self._experiment = open_experiment(client, self.spec.tracking_uri, name, self.artifacts)
        found = client.get_experiment(self._experiment)
        for key, value in about.experiment_tags(self.spec.task.name).items():
            if key not in found.tags:  # a user may have said it better
                client.set_experiment_tag(self._experiment, key, value)
        where = f"tags.`raykd.sweep` = '{self.spec.uid}'"
        token: str | None = ""
        while token is not None:  # of a resumed sweep: one question instead of one a trial
            page = client.search_runs([self._experiment], where, max_results=1000, page_token=token or None)
            for run in page:
                label, state = run.data.tags["raykd.trial"], run.data.tags.get("raykd.state", "")
                if run.info.status == STATUS.get(state):  # all of it is there; others are looked at one by one
                    self._runs[label], self._ended[label] = run.info.run_id, state
                else:
                    self._doubted.add(label)
            token = page.token or None
        self._client = client

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None
        return self._client

    def _run(self, label: str, name: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The run of trial `label`, made if it is not there yet."""
        from mlflow.entities import Param

        if label in self._runs:
            return self._runs[label]
        where = f"tags.`raykd.sweep` = '{self.spec.uid}' and tags.`raykd.trial` = '{label}'"
        found = self.client.search_runs([self._experiment], where, max_results=1) if label in self._doubted else []
        if found:
            run = found[0].info.run_id
        else:
            own = {"raykd.sweep": self.spec.uid, "raykd.trial": label, "mlflow.runName": name}
            common = {
                "raykd.teacher": self.spec.teacher_name,
                "raykd.student": self.spec.student,
                "raykd.data": self.spec.fingerprint,
            }
            above = {"mlflow.parentRunId": self._runs[SWEEP]} if label else {}
            made = about.made_by()
            run = self.client.create_run(self._experiment, tags={**made, **common, **tags, **above, **own}).info.run_id
            self._written[label] = set()
        held = found[0].data.params if found else {}  # MLflow refuses another value, as of a sweep that was extended
        left = [Param(key, str(value)[:6000]) for key, value in params.items() if key not in held]
        self.client.log_batch(run, params=left)
        self._runs[label] = run
        return run

    def _sync_sweep(self) -> None:
        spec = self.spec
        what = {"teacher": spec.teacher_name, "student": spec.student, "space": spec.space, "trials": spec.trials}
        how = {"sampler": spec.sampler, "seed": spec.seed, "data": spec.source}
        how |= {"pruner": spec.pruner, "finalists": spec.finalists, "final_seeds": spec.final_seeds}
        how |= {"selects_on": next(iter(spec.dev), ""), "aim": spec.aim or "best score"}
        note = about.sweep_note(spec)
        tags = {"raykd.role": "sweep", about.NOTE: f"Under way. {note}", **provenance()}
        run = self._run(SWEEP, spec.name, params=what | how, tags=tags)
        end = self._conclusion
        if end is None:
            self.client.log_inputs(run, about.data_of(spec))
            self.client.update_run(run, status="RUNNING")
            return
        label = (end.tags or {}).get("raykd.trial")
        champion = self.book.entry(label) if label is not None else None
        values = {**end.scores, **about.cost_metrics(spec.teacher_cost, "teacher_cost")}
        if champion is not None:
            values |= about.cost_metrics(spec.cost_of(champion.settings))
            self.client.set_tag(run, "raykd.saved", champion.label)
        for name, value in values.items():
            self.client.log_metric(run, name, value, step=0, timestamp=self._concluded)
        for file in end.files:
            self.client.log_artifact(run, str(file))
        if end.student is not None and self.model is None:
            name = f"raykd-{spec.task.name}"
            said = about.version_note(spec, end.tags or {}, champion, end.refused) if champion is not None else ""
            self.model = register(
                end.student,
                name=name,
                run_id=run,
                tracking_uri=spec.tracking_uri,
                tags=dict(end.tags or {}),
                notes=(about.model_note(spec.task.name), said),
                task=spec.task,
                alias=not end.refused,
            )
        whole = about.linked(end.note or note, self._experiment, run, end.files, self.model)
        self.client.set_tag(run, about.NOTE, whole)
        self.client.set_terminated(run, end.status)

    def _sync_trial(self, entry: Entry) -> None:
        from mlflow.entities import Metric, RunTag

        label, state = entry.label, entry.state.name.lower()
        if self._ended.get(label) == state:
            return
        if SWEEP not in self._runs:
            self._sync_sweep()
        method = METHODS[entry.settings["method"]]
        params = self.spec.training.model_dump() | entry.settings
        role = "final" if entry.kind == "final" else "trial"
        tags = {"raykd.role": role, "raykd.method": method.name, "raykd.paper": method.paper}
        tags["raykd.student"] = self.spec.student_of(entry.settings)
        tags[about.NOTE] = about.trial_note(self.spec, entry, 0.0)
        run = self._run(label, about.run_name(self.spec.name, entry), params=params, tags=tags)
        if label not in self._written:
            history = self.client.get_metric_history(run, "score")
            self._written[label] = {metric.step for metric in history}
            if self.client.get_run(run).info.status != "RUNNING":
                self.client.update_run(run, status="RUNNING")
        written, batch = self._written[label], list[Metric]()
        reports = self.book.reports(label)
        for report in reports:
            step = round(100 * report["progress"])  # percent: trials of different length share one axis
            if step in written:
                continue
            values = {"score": report["score"], "seconds": report["seconds"]}
            at = int(1000 * report["at"])
            if report is reports[0]:  # at step 0 alone MLflow draws bars
                prices = about.cost_metrics(self.spec.cost_of(entry.settings))
                batch += [Metric(key, value, at, 0) for key, value in prices.items()]
            batch += [Metric(key, value, at, step) for key, value in (report["metrics"] | values).items()]
            written.add(step)
        facts = {f"raykd.again.{why}": str(times) for why, times in entry.again.items()}
        if entry.error:
            facts["raykd.error"] = entry.error[:5000]
        if state in STATUS:
            facts["raykd.state"] = state
            facts[about.NOTE] = about.trial_note(self.spec, entry, reports[-1]["progress"] if reports else 0.0)
        for start in range(0, len(batch), BATCH):
            self.client.log_batch(run, metrics=batch[start : start + BATCH])
        if state in STATUS:
            self.client.log_batch(run, tags=[RunTag(key, value) for key, value in facts.items()])
            self.client.set_terminated(run, STATUS[state])
            self._ended[label] = state
            self._written.pop(label)
        elif self._conclusion is not None:  # interrupted; a resume sets it to running again
            self.client.set_tag(run, "raykd.state", "interrupted")
            self.client.set_terminated(run, "KILLED")
