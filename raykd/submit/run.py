"""`raykd submit` as a function: checked here, sent once, followed, fetched."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from raykd.errors import UserError
from raykd.interrupts import Interrupted
from raykd.output_paths import Inputs
from raykd.outputs import OutputFolder, check_folder, moved
from raykd.paths import expand_home
from raykd.submit.cluster import Cluster, Unreachable, connect
from raykd.submit.fetch import fetch_champion
from raykd.submit.follow import follow
from raykd.submit.jobs import Job, send
from raykd.submit.line import Line, read_line, sweep_name
from raykd.submit.shipped import BELOW, places, shipment
from raykd.submit.variables import variables
from raykd.workspace import here

CODES = {"SUCCEEDED": 0, "FAILED": 1, "STOPPED": 130}


def submit(
    words: list[str],
    parsers: Mapping[str, Any],
    *,
    address: str | None = None,
    name: str | None = None,
    working_dir: Path | None = None,
    fetch: Path | None = None,
    wait: bool = True,
    env: list[str] | None = None,
) -> int:
    """Send the command line `words` as a job, follow it, fetch its champion; the exit code.

    parsers: raykd's commands by name. fetch: a new or empty folder. Raises UserError before anything is sent.
    """
    line = read_line(words, parsers)
    if fetch is not None and line.command != "tune":
        raise UserError(f"--fetch brings a sweep's champion, and {line.command} has none")
    working_dir = None if working_dir is None else expand_home(working_dir)
    target = check_target(fetch, {f"input {number}": path for number, path in enumerate(line.paths, start=1)})
    passed, notes = variables(env or [])
    sweep = sweep_name(line, name)
    with tempfile.TemporaryDirectory() as packed:
        environment: dict[str, Any] = {"env_vars": {"PYTHONUNBUFFERED": "1", **passed}}
        sent = None if working_dir is None else shipment(working_dir)
        line = line.moved(places(line, sent, passed.get("RAYKD_HOME")))
        if sent is not None:
            archive = Path(packed, "working_dir.zip")
            sent.pack(archive)
            environment["working_dir"] = str(archive)
            notes.append(f"along goes {working_dir}: {len(sent.files)} files, {_size(archive.stat().st_size)} packed")
        cluster = connect(address)
        job = Job(sweep, line.shell(sweep, None if sent is None else BELOW), environment, _about(line, passed))
        for text in notes:
            print(text)
        found, started = send(cluster, job, _note)
    print(f"job {found}: {'sent' if started else 'runs already'}: {job.entrypoint}", flush=True)
    if not wait:
        _how_to_go_on(cluster, found, target)
        return 0
    return go_on(cluster, found, target)


def check_target(fetch: Path | None, inputs: Inputs) -> OutputFolder | None:
    """The folder to fetch to, checked; None where nothing is to be fetched."""
    return None if fetch is None else check_folder(fetch, inputs, here(), command=None, flag="fetch")


def go_on(cluster: Cluster, job: str, fetch: OutputFolder | None) -> int:
    """Follow `job` until it ends, then fetch what it made; Ctrl-C leaves it running and says how to go on."""
    try:
        end = follow(cluster, job, _write, _note)
    except KeyboardInterrupt as error:
        print(f"\nleft: job {job} goes on")
        _how_to_go_on(cluster, job, fetch)
        return error.code if isinstance(error, Interrupted) else Interrupted().code
    if end is None:
        print(f"the cluster at {cluster.address} knows no job '{job}'. If its head was started again, send the same")
        print("line again: a sweep on shared storage goes on where it was")
        return 1
    why = end.message.partition(", last available logs")[0] if end.status == "FAILED" else ""  # printed above already
    print(f"job {job}: {end.status.lower()}" + (f": {why}" if why else ""), flush=True)
    if fetch is not None and end.status == "SUCCEEDED":
        about = end.metadata
        path = fetch_champion(
            fetch,
            sweep=about.get("raykd.sweep", job),
            home=about.get("raykd.home") or os.environ.get("RAYKD_HOME", ""),
            tracking_uri=about.get("raykd.tracking") or os.environ.get("MLFLOW_TRACKING_URI", ""),
        )
        if note := moved(fetch.path, path):
            print(note)
        print(f"student: {path}")
    return CODES.get(end.status, 1)


def follow_job(job: str, *, address: str | None, fetch: Path | None) -> int:
    """`raykd submit --follow JOB`."""
    target = check_target(fetch, {})
    return go_on(connect(address), job, target)


def stop_job(job: str, *, address: str | None) -> int:
    """`raykd submit --stop JOB`: the job is asked to end, as by Ctrl-C; its sweep can be gone on with."""
    cluster = connect(address)
    try:
        stopped = cluster.stop(job)
    except Unreachable as error:
        raise UserError(f"the cluster at {cluster.address} does not answer ({error})") from None
    if stopped is None:
        raise UserError(f"the cluster at {cluster.address} knows no job '{job}'")
    print(f"job {job}: {'is being stopped; the same submit goes on with it' if stopped else 'had ended'}")
    return 0


def _about(line: Line, passed: Mapping[str, str]) -> dict[str, str]:
    """What fetching needs to know later, free of passwords."""
    uri = line.values.get("tracking_uri") or passed.get("MLFLOW_TRACKING_URI", "")
    kept = {
        "raykd.home": passed.get("RAYKD_HOME", ""),
        "raykd.tracking": "" if urlsplit(uri).password else uri,
    }
    return {key: value for key, value in kept.items() if value}


def _how_to_go_on(cluster: Cluster, job: str, fetch: OutputFolder | None) -> None:
    start = ["raykd", "submit", "--address", cluster.address]
    into = [] if fetch is None else ["--fetch", str(fetch.path)]
    print(f"follow it: {shlex.join([*start, '--follow', job, *into])}")
    print(f"stop it:   {shlex.join([*start, '--stop', job])}", flush=True)


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(f"[{text}]\n")
