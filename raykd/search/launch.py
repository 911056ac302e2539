"""`raykd tune` as a function: what was asked for, checked all at once, completed with sound defaults, and run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from raykd.beside import Beside
from raykd.errors import UserError, together
from raykd.models.student import parse_student
from raykd.prepare import prepare, training_of
from raykd.search.choose import choose
from raykd.search.preflight import suitable
from raykd.search.proposals import SAMPLERS
from raykd.search.space import Space
from raykd.search.space_keep import keep, kept
from raykd.search.spec import SPEC, SweepSpec
from raykd.search.sweep import SweepResult, run_sweep
from raykd.tasks.source import Source
from raykd.train.config import Training
from raykd.workspace import Workspace, here


def tune(
    task: str,
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    method: str | None = None,
    space: str | None = None,
    teacher: str | None = None,
    student: str | None = None,
    trials: int = 20,
    sampler: str = "tpe",
    epochs: float | None = None,
    seed: int = 1,
    time_budget: float | None = None,
    concurrency: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    tracking_uri: str | None = None,
    name: str | None = None,
    resume: bool = False,
    max_length: int | None = None,
    beside: Beside = Beside(),  # noqa: B008 (frozen)
    console: Console | None = None,
) -> SweepResult:
    """Search for the best student of `task`. Every None is chosen for the data and the hardware, and printed.

    time_budget: seconds. beside: texts beside the task's rows. resume: go on with the sweep `name` (or the newest of
    this task, and of `method` where it is given) as it was started; everything else that is given is then left aside.
    Raises UserError with every problem found.
    """
    console = console or Console()
    workspace = here()
    if resume:
        return _resume(task, method, name, workspace, console, time_budget)
    sample = source.data == "sample"
    stem = f"{task}-{method or space or ('sample' if sample else 'kd')}"
    pinned = {} if epochs is None else {"epochs": epochs}
    checks: list[Callable[[], Any]] = [
        lambda: choose(space, method, sample=sample, pinned=pinned),
        lambda: training_of({"seed": seed, "max_length": max_length or (64 if sample else None), **pinned}),
        lambda: student and parse_student(student),
        lambda: _hardware(concurrency, workers_per_trial, gpus_per_worker),
        lambda: _new_folder(workspace, name, stem),
        lambda: _check_numbers(trials, time_budget, sampler),
        lambda: source.load(task, seed),
    ]
    wanted, training, _, (workers_at_once, gpus), _, _, data = together(checks)
    _check_shares(wanted, training, workers_per_trial)
    suits = partial(suitable, wanted)
    ready = prepare(data, teacher, training, workspace, console.print, student, suits, beside)
    chosen, notes = suits(ready.pair, ready.origin)
    folder = _claimed(workspace, name, stem)
    for note in notes:
        console.print(f"space: {note}")
    spec = SweepSpec(
        name=folder.name,
        task=ready.task,
        source=ready.source,
        fingerprint=ready.fingerprint,
        train=str(ready.train),
        dev={split: str(path) for split, path in ready.dev.items()},
        teacher=str(ready.teacher),
        teacher_name=ready.teacher_name,
        teacher_score=ready.teacher_score,
        teacher_parameters=ready.teacher_parameters,
        student=ready.student,
        origin=str(ready.origin),
        student_parameters=ready.student_parameters,
        corpus=ready.corpus and str(ready.corpus),
        space=chosen.name,
        method=method,
        pinned=pinned,
        sampler=sampler,
        trials=trials,
        training=training,
        concurrency=workers_at_once,
        workers=workers_per_trial,
        gpus_per_worker=gpus,
        seed=seed,
        tracking_uri=tracking_uri or workspace.tracking_uri,
    )
    keep(chosen, folder)
    spec.save(folder)
    _announce(spec, chosen, console)
    return run_sweep(spec, chosen, folder, workspace.artifacts, console, time_budget=time_budget)


def _resume(
    task: str,
    method: str | None,
    name: str | None,
    workspace: Workspace,
    console: Console,
    time_budget: float | None,
) -> SweepResult:
    if name is None:
        found = sorted(workspace.sweeps.glob(f"*/{SPEC}"), key=lambda file: file.stat().st_mtime)
        specs = {file.parent: SweepSpec.read(file.parent) for file in found}
        of_task = [at for at, spec in specs.items() if spec.task.name == task and method in (None, spec.method)]
        if not of_task:
            what = f"task '{task}'" + (f" by method '{method}'" if method else "")
            raise UserError(f"nothing to resume: no sweep of {what} in {workspace.sweeps}")
        folder = of_task[-1]
    else:
        folder = workspace.sweep(name)
    spec = SweepSpec.read(folder)
    space = kept(folder)
    _announce(spec, space, console, again=True)
    return run_sweep(spec, space, folder, workspace.artifacts, console, time_budget=time_budget)


def _new_folder(workspace: Workspace, name: str | None, stem: str) -> Path:
    """The sweep's folder: the name asked for, or the first free ``<task>-<method>-<n>``."""
    if name is None:
        stem = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in Path(stem).stem)
        return next(f for n in range(1, 10**6) if not (f := workspace.sweep(f"{stem}-{n}")).exists())
    folder = workspace.sweep(name)
    if (folder / SPEC).exists():
        raise UserError(f"sweep '{name}' exists already in {folder}: go on with it by --resume, or take another --name")
    return folder


def _claimed(workspace: Workspace, name: str | None, stem: str) -> Path:
    """The sweep's folder, made: another process that prepared meanwhile takes another name, or is refused."""
    while True:
        folder = _new_folder(workspace, name, stem)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if name is None:
                continue
            if any(folder.iterdir()):
                raise UserError(f"sweep '{name}' was started meanwhile in {folder}; take another --name") from None
        return folder


def _hardware(concurrency: int | None, workers: int, gpus_per_worker: float | None) -> tuple[int, float]:
    """Trials at once and GPUs a worker: one worker a core, or one a GPU where there are any."""
    cores, accelerators = os.cpu_count() or 1, torch.cuda.device_count()
    gpus = float(gpus_per_worker if gpus_per_worker is not None else min(1, accelerators))
    problems = []
    if workers < 1 or workers > cores:
        problems.append(f"workers-per-trial {workers}: this machine has {cores} cores, so 1 to {cores}")
    if gpus < 0 or gpus * workers > accelerators:
        problems.append(f"gpus-per-worker {gpus:g} x {workers} workers: this machine has {accelerators} GPUs")
    if concurrency is not None and concurrency < 1:
        problems.append(f"concurrency {concurrency}: at least 1")
    if problems:
        raise UserError(*problems)
    fit = int(accelerators / (gpus * workers)) if gpus else cores // workers
    return min(concurrency or fit, fit), gpus


def _check_shares(space: Space, training: Training, workers: int) -> None:
    """Workers take equal shares of a batch, so every batch size must divide among them."""
    sizes = next((d.candidates() for d in space.dimensions if d.name == "batch_size"), (training.batch_size,))
    uneven = [size for size in sizes if size % workers]
    if uneven:
        raise UserError(f"batch_size {', '.join(map(str, uneven))}: does not divide among {workers} workers")


def _check_numbers(trials: int, time_budget: float | None, sampler: str) -> None:
    problems = []
    if trials < 1:
        problems.append(f"trials {trials}: at least 1")
    if time_budget is not None and time_budget <= 0:
        problems.append(f"time-budget {time_budget:g}: more than 0 seconds")
    if sampler not in SAMPLERS:
        problems.append(f"unknown sampler '{sampler}' (allowed: {', '.join(SAMPLERS)})")
    if problems:
        raise UserError(*problems)


def _announce(spec: SweepSpec, space: Space, console: Console, *, again: bool = False) -> None:
    """Say what will be done, defaults included, before it is done."""
    size = space.size()
    points = "no end of points" if size is None else f"{size:,} points"
    console.print(f"sweep: {'resuming ' if again else ''}[bold]{spec.name}[/], {spec.trials} trials and the baseline")
    console.print(f"space: {space.name} ({points}); {space.about}; sampler {spec.sampler}, seed {spec.seed}")
    console.print(
        f"student: {spec.student}, {spec.student_parameters / 1e6:.1f} M parameters; "
        f"teacher: {spec.teacher_name}, {spec.teacher_parameters / 1e6:.1f} M"
    )
    per_trial = f"{spec.workers} worker(s) a trial" + (
        f", {spec.gpus_per_worker:g} GPU each" if spec.gpus_per_worker else ""
    )
    console.print(
        f"running {spec.concurrency} trials at once, {per_trial}; a trial may be stopped from evaluation {spec.grace} "
        f"of {spec.training.evaluations}, the better 1 in {spec.reduction} goes on; MLflow: {spec.tracking_uri}"
    )
