"""Says what a sweep will cost before it starts, from a short timing on the machines that will run it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError
from rich.console import Console

from raykd import storage
from raykd.cpus import thread_count
from raykd.knowledge.plan import plan, readable_size
from raykd.models.classifier import load_config
from raykd.models.shape import shape
from raykd.progress import duration
from raykd.search.baseline import baseline_settings
from raykd.search.bill import Bill, all_rows
from raykd.search.estimate import Estimate, Rows, estimate, work
from raykd.search.finals import KD
from raykd.search.proposals import Proposer
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.search.students import students_of
from raykd.search.timing import Pace, time_trial
from raykd.search.wanted import facts_of, wanted_by_all
from raykd.tasks.encoded import Encoded
from raykd.train.config import Training
from raykd.train.trial import pair_of

MOST = 8  # trials timed
PATIENCE_S = 900.0
DRY_S = 25.0  # seconds of timing in a dry run, where one timing at least is ready by then
SHORT_FLOPS = 5e14  # of the students' training: some hours of one core. Shorter sweeps are not worth a timing


def forecast(spec: SweepSpec, space: Space, console: Console, bill: Bill | None = None) -> Estimate:
    """Print trials, epochs, disk, and of a sweep that takes long, or of a dry run, hours. Ray must be there.

    Args:
        spec: The sweep.
        space: What it searches.
        console: Where it is printed.
        bill: Of a dry run, what comes before the first trial, and how many rows those at hand stand for.
    """
    here = spec.reached(lambda place: str(storage.at_hand(place)))
    split = {name: Encoded.open(Path(place)) for name, place in {"": here.train, **here.dev}.items()}
    train = split[""]
    run = None if bill is None else bill.run
    rows = all_rows(run, len(train), {name: len(split[name]) for name in here.dev})
    rough = estimate(spec, space, [], rows)
    sizes = [spec.parameters_of({"student": one}) for one in students_of(space) or (spec.student,)]
    flops = 6 * statistics.fmean(sizes) * float(train.lengths.mean()) * rows.train * rough.epochs
    found = rough
    before = 0.0
    if bill is not None or flops > SHORT_FLOPS:
        console.print("estimate: timing a few steps of a few trials", markup=False)
        before = _say_before(spec, bill, rows, console) if bill is not None else 0.0
        found = estimate(spec, space, _paces(spec, space, console, PATIENCE_S if bill is None else DRY_S), rows)
    pair = pair_of(here.trial("plan", {"method": "none"}, ""))
    lengths = np.resize(train.lengths, rows.train)
    known = plan(wanted_by_all(here, space), facts_of(pair, spec.task), lengths, 10**18).bytes
    weights = 4 * max(sizes)  # bytes; a checkpoint holds two moments beside them
    kept = (spec.finalists + 4 + 2 * 3 * spec.concurrency) * weights
    said = f"{found.trials} trials" + (f" and {found.finals} finals" if found.finals else "")
    said += f", about {found.epochs:.3g} epochs in all"
    if not math.isnan(found.hours):
        said += f", {duration(3600 * (found.hours + before))} with {spec.concurrency} at once"
        said += f", {found.gpu_hours:.3g} GPU-hours" if found.gpu_hours else ""
    said += f"; disk: {readable_size(known)} of what the teacher says at most, {readable_size(kept)} of students"
    console.print(f"estimate: {said}", markup=False)
    return found


def _say_before(spec: SweepSpec, bill: Bill, rows: Rows, console: Console) -> float:
    """Print what comes before the first trial, and return its hours (NaN where they are not known)."""
    hours = bill.tokenising * (rows.train + rows.end) / 3600
    parts = [f"{duration(3600 * hours)} to tokenise"]
    if bill.lesson is not None:
        lesson, pace = bill.lesson, _pace_of_teacher(spec, bill.lesson, console)
        about = f"to fine-tune the teacher, once ({lesson.epochs:.3g} epochs of {bill.lesson_rows:,} rows)"
        if pace is None:
            parts.append(f"an unknown time {about}")
            hours = math.nan
        else:
            steps = lesson.epochs * bill.lesson_rows / lesson.batch_size
            teaching = (steps * pace.step + lesson.evaluations * rows.select * pace.row) / 3600
            parts.append(f"{duration(3600 * teaching)} {about}")
            hours += teaching
    console.print(f"estimate: before the first trial {', '.join(parts)}", markup=False)
    return hours


def _layers(spec: SweepSpec) -> int:
    return shape(load_config(storage.at_hand(spec.teacher))).layers


def _pace_of_teacher(spec: SweepSpec, lesson: Training, console: Console) -> Pace | None:
    """The pace of teaching, which runs in this process, alone, on all of its threads; None where that fails."""
    whole = spec.trial("teacher", {"method": "none", "student": f"cut:{_layers(spec)}"}, "")
    try:
        return time_trial(whole.model_copy(update={"training": lesson, "threads": thread_count()}), time.time())
    except (RuntimeError, OSError) as error:  # memory, or the disk, is full
        console.print(f"estimate: the teacher could not be timed: {str(error).strip() or repr(error)}", markup=False)
        return None


def _paces(spec: SweepSpec, space: Space, console: Console, seconds: float) -> list[Pace]:
    """As many trials at once as the sweep runs, each for a few steps; without those that fail, or are not ready after
    so many seconds."""
    tasks, points = dict[Any, str](), dict[str, tuple[int, float]]()
    for number, point in enumerate(_points(spec, space)):
        trial = spec.trial(f"timed{number}", point, "")
        share = max(1, trial.training.batch_size // spec.workers)  # of a group each worker has a part of the batch
        training = trial.training.model_copy(update={"batch_size": share, "accumulation": 1})
        asked = ray.remote(time_trial).options(num_cpus=spec.threads, num_gpus=spec.gpus_per_worker, max_retries=0)
        tasks[asked.remote(trial.model_copy(update={"training": training}), time.time())] = trial.label
        points[trial.label] = trial.training.batch_size, work(spec, point)
    found = []
    for label, pace in collect(tasks, console, seconds).items():
        batch, more = points[label]
        found.append(replace(pace, batch=batch, step=pace.step / more, row=pace.row / more))  # of the first student
    return found


def collect(tasks: Mapping[Any, str], console: Console, seconds: float) -> dict[str, Pace]:
    """Wait for timings, and call off those that are late.

    Args:
        tasks: Ray's handles, each with the label of its trial.
        console: Told of those that fail, and of late ones.
        seconds: To wait; longer where none is ready by then, up to PATIENCE_S.

    Returns:
        Paces by label.
    """
    began, paces, late = time.monotonic(), dict[str, Pace](), list(tasks)
    while late:
        left = (seconds if paces else PATIENCE_S) - (time.monotonic() - began)
        ready, late = ray.wait(late, timeout=max(left, 0.0))
        for task in ready:
            try:
                paces[tasks[task]] = ray.get(task)
            except RayError as error:
                lines = str(error).strip().splitlines()
                said = lines[-1] if lines else repr(error)
                console.print(f"estimate: {tasks[task]} could not be timed: {said}", markup=False)
        if not ready:
            break
    for task in late:
        ray.cancel(task, force=True)
    if late:
        said = f"{len(paces)} of {len(tasks)} timings are ready after {time.monotonic() - began:.0f} s"
        console.print(f"estimate: {said}; they stand for the others", markup=False)
    return paces


def _points(spec: SweepSpec, space: Space) -> list[dict[str, Any]]:
    """As many as run at once, and one of each method, as far as MOST goes; and the baselines, half of all finals."""
    proposer = Proposer(space, sampler="random", seed=spec.seed)
    methods = next(dimension for dimension in space.dimensions if dimension.name == "method").candidates()
    many = min(MOST, max(spec.concurrency, len(methods)))
    chosen: list[dict[str, Any]] = []
    for _ in range(20 * MOST):
        point = proposer.propose([])
        if point is None or len(chosen) == many:
            break
        proposer.started(point)
        missing = len(methods) - len({one["method"] for one in chosen})
        if point["method"] not in {one["method"] for one in chosen} or many - len(chosen) > missing:
            chosen.append(point)
    plain = baseline_settings(space)
    baselines = [plain, {**plain, "method": KD}] if spec.finalists else [plain]
    return [*chosen, *(one for one in baselines if one["method"] not in {of["method"] for of in chosen})]
