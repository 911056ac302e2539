"""A sweep from its specification to its champion."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import filelock
from optuna.trial import TrialState
from rich.console import Console

from raykd.errors import UserError
from raykd.report.curves import Curve, draw, write_table
from raykd.search.conductor import Conductor
from raykd.search.display import LiveDisplay
from raykd.search.ledger import BASELINE, Entry, Ledger
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tracking.register import register
from raykd.tracking.tracker import Tracker

CHAMPION = "champion"


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found.

    best is the best distilled trial, None while none has completed. champion is the better of it and the baseline (the
    distilled one of equals), student the folder it lies in.
    """

    spec: SweepSpec
    folder: Path
    entries: list[Entry]
    baseline: Entry | None
    best: Entry | None
    champion: Entry | None
    student: Path | None
    model: str | None  # MLflow URI of the champion
    complete: bool  # False when the time budget ended it: --resume goes on


def run_sweep(
    spec: SweepSpec,
    space: Space,
    folder: Path,
    artifacts: Path,
    console: Console,
    *,
    time_budget: float | None = None,
) -> SweepResult:
    """Run what is left of the sweep in `folder`, keep and register its best student.

    Raises UserError when another process holds the sweep.
    """
    from raykd.search import ray_tune

    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UserError(f"sweep '{spec.name}' is being run by another process, which holds {lock.lock_file}") from None
    with lock:
        tracker = Tracker(spec, folder, artifacts)
        display = LiveDisplay(console, metric=spec.task.primary, trials=spec.trials, teacher_score=spec.teacher_score)
        with display, closing(Ledger(folder, spec, space)) as ledger:
            conductor = Conductor(ledger, tracker, display)
            with ray_tune.ray_session(spec):
                ray_tune.run(conductor, spec, folder, time_budget=time_budget)
            return _conclude(conductor, spec, folder, tracker)


def _conclude(conductor: Conductor, spec: SweepSpec, folder: Path, tracker: Tracker) -> SweepResult:
    entries = conductor.ledger.entries()
    baseline = next((e for e in entries if e.label == BASELINE and e.state is TrialState.COMPLETE), None)
    best = conductor.best()
    complete = conductor.ledger.exhausted and not any(e.state is TrialState.RUNNING for e in entries)
    champion = max((e for e in (best, baseline) if e is not None), key=lambda e: e.score or 0.0, default=None)
    student = model = None
    if champion is not None:
        student = folder / CHAMPION
        _replace(conductor.student_of(champion.label), student)
        shown = _show(conductor, spec, folder, entries, best)
        tracker.wait(60)
        if tracker.parent is not None:
            tracker.attach(shown)
            tags = {"raykd.sweep": spec.name, "raykd.trial": champion.label, "raykd.score": f"{champion.score:.6f}"}
            uri = spec.tracking_uri
            model = register(
                student, name=f"raykd-{spec.task.name}", run_id=tracker.parent, tracking_uri=uri, tags=tags
            )
    tracker.close("FINISHED" if complete else "KILLED")
    return SweepResult(spec, folder, entries, baseline, best, champion, student, model, complete)


def _show(conductor: Conductor, spec: SweepSpec, folder: Path, entries: list[Entry], best: Entry | None) -> list[Path]:
    """The sweep's picture and table."""
    curves = []
    for entry in entries:
        reports = conductor.reports_of(entry.label)
        progress, scores = [r["progress"] for r in reports], [r["score"] for r in reports]
        curves.append(Curve(entry.label, entry.state.name.lower(), entry.settings, progress, scores))
    title = f"{spec.name}: {spec.student} of {spec.teacher_name}"
    metric, label = spec.task.primary, best.label if best else None
    picture = draw(folder, curves, title=title, metric=metric, teacher=spec.teacher_score, best=label)
    return [picture, write_table(folder, curves)]


def _replace(source: Path, target: Path) -> None:
    temporary = target.with_suffix(".new")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
