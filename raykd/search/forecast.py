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
from raykd.knowledge.plan import plan, readable_size
from raykd.models.classifier import load_config
from raykd.models.shape import shape
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
from raykd.train.config import TrialSpec
from raykd.train.trial import pair_of

MOST = 8  # trials timed
PATIENCE_S = 900.0
DRY_S = 25.0  # seconds of timing in a dry run, where one timing at least is ready by then
TEACHER = "teacher"
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
        timed = _paces(spec, space, console, bill)
        lesson = timed.pop(TEACHER, None)
        found = estimate(spec, space, list(timed.values()), rows)
        before = _say_before(spec, bill, rows, lesson, console) if bill is not None else 0.0
    pair = pair_of(here.trial("plan", {"method": "none"}, ""))
    lengths = np.resize(train.lengths, rows.train)
    known = plan(wanted_by_all(here, space), facts_of(pair, spec.task), lengths, 10**18).bytes
    weights = 4 * max(sizes)  # bytes; a checkpoint holds two moments beside them
    kept = (spec.finalists + 4 + 2 * 3 * spec.concurrency) * weights
    said = f"{found.trials} trials" + (f" and {found.finals} finals" if found.finals else "")
    said += f", about {found.epochs:.3g} epochs in all"
    if not math.isnan(found.hours):
        said += f", {_time(found.hours + before)} with {spec.concurrency} at once"
        said += f", {found.gpu_hours:.3g} GPU-hours" if found.gpu_hours else ""
    said += f"; disk: {readable_size(known)} of what the teacher says at most, {readable_size(kept)} of students"
    console.print(f"estimate: {said}", markup=False)
    return found


def _say_before(spec: SweepSpec, bill: Bill, rows: Rows, lesson_pace: Pace | None, console: Console) -> float:
    """Print what comes before the first trial, and return its hours (NaN where they are not known)."""
    hours = bill.tokenising * (rows.train + rows.end) / 3600
    parts = [f"{_time(hours)} to tokenise"]
    if bill.lesson is not None:
        lesson = bill.lesson
        about = f"to fine-tune the teacher, once ({lesson.epochs:.3g} epochs of {bill.lesson_rows:,} rows)"
        if lesson_pace is None:
            parts.append(f"an unknown time {about}")
            hours = math.nan
        else:
            steps = lesson.epochs * bill.lesson_rows / lesson.batch_size
            teaching = (steps * lesson_pace.step + lesson.evaluations * rows.select * lesson_pace.row) / 3600
            parts.append(f"{_time(teaching)} {about}")
            hours += teaching
    console.print(f"estimate: before the first trial {', '.join(parts)}", markup=False)
    return hours


def _layers(spec: SweepSpec) -> int:
    return shape(load_config(storage.at_hand(spec.teacher))).layers


def _paces(spec: SweepSpec, space: Space, console: Console, bill: Bill | None) -> dict[str, Pace]:
    """By label, the paces of trials, as many at once as the sweep runs, and in a dry run of the teacher that is to be
    taught. Those that fail are left out, and in a dry run those that are not ready in time."""
    trials: dict[str, TrialSpec] = {}
    if bill is not None and bill.lesson is not None:  # first: nothing stands for it well
        whole = spec.trial(TEACHER, {"method": "none", "student": f"cut:{_layers(spec)}"}, "")
        trials[TEACHER] = whole.model_copy(update={"training": bill.lesson})
    points = {f"timed{number}": point for number, point in enumerate(_points(spec, space))}
    trials |= {label: spec.trial(label, point, "") for label, point in points.items()}
    tasks = dict[Any, str]()
    for label, trial in trials.items():
        share = max(1, trial.training.batch_size // spec.workers)  # of a group each worker has a part of the batch
        training = trial.training.model_copy(update={"batch_size": share, "accumulation": 1})
        asked = ray.remote(time_trial).options(num_cpus=spec.threads, num_gpus=spec.gpus_per_worker, max_retries=0)
        tasks[asked.remote(trial.model_copy(update={"training": training}), time.time())] = label
    timed, late = collect(tasks, console, PATIENCE_S if bill is None else DRY_S)
    paces = {label: replace(pace, batch=trials[label].training.batch_size) for label, pace in timed.items()}
    if TEACHER in late and paces:
        paces[TEACHER] = pace_of_teacher(spec, trials, paces)
    for label, point in points.items():
        if label in paces:  # of the first student
            more = work(spec, point)
            paces[label] = replace(paces[label], step=paces[label].step / more, row=paces[label].row / more)
    return paces


def collect(tasks: Mapping[Any, str], console: Console, seconds: float) -> tuple[dict[str, Pace], list[str]]:
    """Wait for timings, and call off those that are late.

    Args:
        tasks: Ray's handles, each with the label of its trial.
        console: Told of those that fail, and of late ones.
        seconds: To wait; longer where no trial is timed by then, up to PATIENCE_S.

    Returns:
        Paces by label, and the labels of those that are late.
    """
    began, paces, late = time.monotonic(), dict[str, Pace](), list(tasks)
    while late:
        enough = bool(set(paces) - {TEACHER})
        left = (seconds if enough else PATIENCE_S) - (time.monotonic() - began)
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
    return paces, [tasks[task] for task in late]


def pace_of_teacher(spec: SweepSpec, trials: Mapping[str, TrialSpec], paces: Mapping[str, Pace]) -> Pace:
    """The pace of teaching that was not timed: that of the cheapest trial, times the teacher's work over its student's.

    Args:
        spec: The sweep.
        trials: All that were to be timed, by label.
        paces: Of those that were.
    """
    label, pace = min(paces.items(), key=lambda item: item[1].step / item[1].batch)
    cost, teacher, lesson = spec.cost_of({"student": trials[label].student}), spec.teacher_cost, trials[TEACHER]
    more = teacher.flops / cost.flops if cost and teacher and cost.flops else 1.0
    batch = lesson.training.batch_size
    return replace(pace, batch=batch, step=more * pace.step / pace.batch * batch, row=more * pace.row)


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


def _time(hours: float) -> str:
    if hours < 0.05:
        return f"{hours * 3600:.0f} s"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} hours"
