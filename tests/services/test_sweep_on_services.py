"""Whole sweeps whose home is an S3-compatible store, their study in PostgreSQL, their runs in an MLflow server on both.

The services go away in mid-sweep, or the driver's machine does: every trial is there once, everywhere, and the champion
can be loaded. A "machine" here is a node cache of its own: nothing else of a sweep is on a local disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import optuna
import pytest
from mlflow import MlflowClient

from tests.services.mlflow_server import MlflowServer
from tests.services.postgres import Postgres
from tests.services.s3 import S3
from tests.sweep.conftest import Place, place
from tests.sweep.test_sweep import QUERY

__all__ = ["place"]

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.long]

TRIALS = 6
LABELS = ["baseline", *(f"t{number:04d}" for number in range(TRIALS))]
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Machine:
    """Somewhere to run raykd: its node cache, and an environment that names the services."""

    place: Place
    cache: Path
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command line in a process group of its own; what it prints goes to `output`."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with self.output.open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "raykd", *arguments],
                cwd=self.place.folder,
                env={**self.place.environment(), **self.environment, "RAYKD_CACHE": str(self.cache)},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    @property
    def output(self) -> Path:
        return self.cache.with_suffix(".txt")

    def run(self, *arguments: str) -> str:
        """What the command line prints, having ended with exit code 0."""
        before = len(self.output.read_text()) if self.output.exists() else 0
        process = self.start(*arguments)
        process.wait(PATIENCE_S)
        assert process.returncode == 0, self.output.read_text()
        return self.output.read_text()[before:]

    def events(self) -> list[dict[str, Any]]:
        """The journal as it is on this machine."""
        files = sorted(self.cache.glob("homes/*/sweeps/*/journal/*.jsonl"))
        lines = [line for file in files for line in file.read_text().splitlines(keepends=True)]
        return [json.loads(line) for line in lines if line.endswith("\n")]


@dataclass(frozen=True)
class Site:
    """The services of one sweep: a bucket's prefix, a database for the study, MLflow."""

    place: Place
    postgres: Postgres
    s3: S3
    mlflow: MlflowServer
    folder: Path
    database: str

    def machine(self, name: str) -> Machine:
        environment = {
            **self.s3.environment(),
            "RAYKD_HOME": f"s3://{self.s3.bucket}/{self.folder.name}",
            "RAYKD_STUDY_URI": self.postgres.address(self.database, driver="psycopg", password=False),
            "PGPASSWORD": self.postgres.password,
            "MLFLOW_TRACKING_URI": self.mlflow.uri,
        }
        return Machine(self.place, self.folder / name, environment)

    def objects(self) -> dict[str, bytes]:
        """Everything in this home of the bucket, by name below it; folder markers left out."""
        client = boto3.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.s3.bucket, Prefix=f"{self.folder.name}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {
            key.removeprefix(f"{self.folder.name}/"): client.get_object(Bucket=self.s3.bucket, Key=key)["Body"].read()
            for key in keys
            if not key.endswith("/")
        }

    def events(self) -> list[dict[str, Any]]:
        """The journal as it is in the bucket."""
        objects = self.objects()
        files = sorted(name for name in objects if "/journal/" in name)
        return [json.loads(line) for name in files for line in objects[name].splitlines()]

    def study(self, name: str) -> list[optuna.trial.FrozenTrial]:
        """Every trial of the sweep's studies (its own and the baseline's)."""
        storage = optuna.storages.RDBStorage(self.postgres.address(self.database, driver="psycopg"))
        try:
            ours = [one for one in storage.get_all_studies() if one.study_name.startswith(f"{name}-")]
            assert len(ours) == 2, [one.study_name for one in ours]
            return [trial for one in ours for trial in storage.get_all_trials(one._study_id)]
        finally:
            storage.remove_session()
            storage.engine.dispose()

    def runs(self, name: str) -> dict[str, list[Any]]:
        """MLflow's runs of the sweep by trial label; "" is the sweep's own."""
        client = MlflowClient(self.mlflow.uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found: dict[str, list[Any]] = {}
        for run in client.search_runs(experiments, max_results=1000):
            if run.info.run_name == name or run.info.run_name.startswith(f"{name}/"):
                found.setdefault(run.data.tags["raykd.trial"], []).append(run)
        return found


@pytest.fixture
def site(place: Place, postgres: Postgres, s3: S3, mlflow_server: MlflowServer, keys: None, tmp_path: Path) -> Site:
    tmp_path = tmp_path.rename(tmp_path.with_name(f"home_{os.urandom(4).hex()}"))
    postgres.create_database(tmp_path.name)
    return Site(place, postgres, s3, mlflow_server, tmp_path, tmp_path.name)


def until(done: Callable[[], bool], process: subprocess.Popen[str], machine: Machine) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert process.poll() is None, machine.output.read_text()
        assert time.monotonic() < end, machine.output.read_text()
        time.sleep(0.1)


def gone(folder: Path) -> None:
    """Remove a dead machine's disk, even while a worker that is still dying writes there."""
    end = time.monotonic() + 30
    while folder.exists():
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        assert time.monotonic() < end, sorted(folder.rglob("*"))
        time.sleep(0.2)


def reported(machine: Machine, label: str, evaluation: int) -> bool:
    return any(
        event["event"] == "report" and event["trial"] == label and event["report"]["evaluation"] >= evaluation
        for event in machine.events()
    )


def table(output: str) -> list[str]:
    """The lines of the result that do not depend on where it was printed."""
    found = [line.strip() for line in output.splitlines() if "student" in line or line.startswith("trials: ")]
    return [line for line in found if line.startswith(("teacher", "student, undistilled", "best student", "trials: "))]


def once_everywhere(site: Site, name: str) -> None:
    """Each trial once in the journal, in the study and in MLflow, with the same end and the same evaluations."""
    events = site.events()
    assert Counter(event["trial"] for event in events if event["event"] == "start") == Counter(LABELS)
    assert max(Counter(event["trial"] for event in events if event["event"] == "end").values()) == 1
    reports: dict[str, list[int]] = {label: [] for label in LABELS}
    for event in events:
        if event["event"] == "report":
            reports[event["trial"]].append(event["report"]["evaluation"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in reports.values()), reports
    settings = {event["trial"]: event["settings"] for event in events if event["event"] == "start"}

    trials = {trial.user_attrs["label"]: trial for trial in site.study(name)}
    assert sorted(trials) == sorted(LABELS)
    assert len(site.study(name)) == len(LABELS)
    runs = site.runs(name)
    assert {label: len(found) for label, found in runs.items()} == dict.fromkeys(["", *LABELS], 1)
    client = MlflowClient(site.mlflow.uri)
    words = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}
    for label in LABELS:
        trial, run = trials[label], runs[label][0]
        assert sorted(trial.intermediate_values) == reports[label]
        assert trial.user_attrs["settings"] == settings[label]
        assert run.info.status == words[trial.state.name]
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "score")]
        assert len(steps) == len(set(steps)) == len(reports[label])
        assert {key: str(value) for key, value in settings[label].items()}.items() <= run.data.params.items()
        assert trial.state.name == "PRUNED" or reports[label][-1] == 8
    assert runs[""][0].info.status == "FINISHED"


def champion_serves(site: Site, name: str, output: str) -> None:
    """It is registered, and what MLflow serves loads where there is no raykd; nothing else of a trial is left."""
    best = max((t for t in site.study(name) if t.state.name == "COMPLETE"), key=lambda t: t.value or 0.0)
    version = MlflowClient(site.mlflow.uri).get_model_version_by_alias("raykd-mine", "champion")
    assert version.tags["raykd.sweep"] == name
    assert version.tags["raykd.score"] == f"{best.value:.6f}"
    assert "models:/raykd-mine@champion" in output
    done = subprocess.run(
        [sys.executable, "-c", QUERY, site.mlflow.uri], capture_output=True, text=True, check=False,
        env=site.place.environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [answer["label"] for answer in json.loads(done.stdout.splitlines()[-1])] == ["yes", "no"]
    objects = site.objects()
    assert f"sweeps/{name}/champion/model.safetensors" in objects
    assert not [key for key in objects if "checkpoint-" in key]
    students = {key.split("/")[3] for key in objects if re.match(rf"sweeps/{name}/trials/.*/student/", key)}
    assert students <= {"baseline", version.tags["raykd.trial"], best.user_attrs["label"]}


def elsewhere(site: Site, name: str, before: str) -> None:
    """A machine that has nothing but the environment: the finished sweep's table again, and its champion's score."""
    machine = site.machine("elsewhere")
    after = machine.run("tune", "--task", "custom", "--name", name, "--resume")
    assert table(after) == table(before) != []
    student = next(line.split()[-1] for line in after.splitlines() if line.startswith("student: /"))
    data = site.place.arguments[site.place.arguments.index("--data") : site.place.arguments.index("--teacher")]
    scores = machine.run("evaluate", student, "--task", "custom", *data)
    version = MlflowClient(site.mlflow.uri).get_model_version_by_alias("raykd-mine", "champion")
    assert f"dev/accuracy {float(version.tags['raykd.score']):.4f}" in scores
    once_everywhere(site, name)


@pytest.mark.parametrize("down", [60.0])
def test_services_stopped_in_mid_sweep(site: Site, down: float) -> None:
    machine, name = site.machine("here"), f"away-{down:g}"  # MLflow is shared by the tests of a session
    brief = ["--trials", str(TRIALS), "--finalists", "0", "--name", name, "--concurrency", "1"]
    line = ["tune", *site.place.arguments, *brief]
    process = machine.start(*line)
    until(lambda: reported(machine, "t0000", 2), process, machine)
    site.s3.stop()
    site.postgres.stop()
    time.sleep(down)
    assert process.poll() is None, machine.output.read_text()
    site.postgres.start()
    site.s3.start()
    process.wait(PATIENCE_S)
    output = machine.output.read_text()
    assert process.returncode == 0, output
    assert "is back after" in output
    once_everywhere(site, name)
    champion_serves(site, name, output)
    elsewhere(site, name, output)


def test_the_drivers_machine_is_lost(site: Site) -> None:
    """SIGKILL of the driver and all that ran there, its disk gone with it; the same line goes on elsewhere."""
    machine, name = site.machine("lost"), "lost"
    brief = ["--trials", str(TRIALS), "--finalists", "0", "--name", name, "--concurrency", "1"]
    line = ["tune", *site.place.arguments, *brief, "--continue"]
    process = machine.start(*line)
    until(lambda: reported(machine, "t0001", 1), process, machine)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    gone(machine.cache)
    kept = site.events()
    assert any(event["trial"] == "t0000" for event in kept)

    output = site.machine("second").run(*line)
    assert site.events()[: len(kept)] == kept
    once_everywhere(site, name)
    champion_serves(site, name, output)
