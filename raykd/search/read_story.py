"""A sweep's story from its book, without a lock on it and without a change to it: the sweep may be under way."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState

from raykd import storage
from raykd.errors import UserError, unknown
from raykd.methods import METHODS
from raykd.models.cost import Cost
from raykd.report.contenders import Contender
from raykd.report.story import Aimed, Kind, Network, Run, Story
from raykd.search import finals
from raykd.search.aimed import aimed, choose, confirmed
from raykd.search.finals import BASELINE
from raykd.search.found import kept, splits_of, undistilled
from raykd.search.journal import FOLDER, Journal
from raykd.search.ledger import Ledger
from raykd.search.rivals import contests
from raykd.search.room import Room, room
from raykd.search.spec import SPEC, SweepSpec
from raykd.search.stored import noted
from raykd.search.story_parts import floor_of_split, saved_label
from raykd.tasks.encoded import Encoded
from raykd.tasks.predictions import score_of, unpack
from raykd.workspace import Workspace

# In the sweep's folder, if the sweep wrote it: {"scores": {split: score}, "answers": {split: packed answers}}.
TEACHER = "teacher.json"


def find(workspace: Workspace, name: str | None, task: str | None) -> Room:
    """The room of sweep `name`, or of the newest (of `task`). Raises UserError, with the nearest names, for none."""
    if workspace.url is not None:
        names = sorted(storage.names(storage.join(workspace.url, "sweeps")))
    else:
        files = sorted(workspace.sweeps.glob(f"*/{SPEC}"), key=lambda file: file.stat().st_mtime, reverse=True)
        names = [file.parent.name for file in files]
    if name is not None:
        found = room(workspace, name)
        if not found.started:
            raise UserError(unknown("sweep", name, names) if names else f"no sweep '{name}' in {workspace.sweeps}")
        spec = found.read()[0]
        if task not in (None, spec.task.name, spec.task.flag):
            raise UserError(f"sweep '{name}' is of task '{spec.task.name}', not '{task}'")
        return found
    if workspace.url is not None:
        raise UserError(f"report: say which sweep ({', '.join(names) or 'there is none'})")
    tasks = set()
    for newest in names:
        of_sweep = SweepSpec.read(workspace.sweep(newest)).task
        names_of_task = {of_sweep.name, of_sweep.flag}
        tasks |= names_of_task
        if task is None or task in names_of_task:
            return room(workspace, newest)
    if task is not None and tasks:
        raise UserError(f"no sweep of it in {workspace.sweeps}: {unknown('task', task, sorted(tasks))}")
    raise UserError(f"no sweep in {workspace.sweeps}: raykd tune starts one")


def read_story(found: Room, workspace: Workspace) -> Story:
    """The story of the sweep in `found`, as far as its journal goes. Raises UserError where there is no sweep."""
    spec, space = found.read()
    with ExitStack() as stack:
        folder = found.folder
        if found.remote:  # the copy here belongs to a sweep that may run here
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            journal = storage.join(found.place, FOLDER)
            if storage.exists(journal):
                storage.fetch(journal, folder / FOLDER)
        ledger = Ledger(Journal(folder), spec, space, "")
        return tell(spec.reached(workspace.reach), ledger, teacher=teacher_of(found), saved=saved_label(found))


def tell(spec: SweepSpec, ledger: Ledger, teacher: Mapping[str, Any] | None = None, saved: str | None = None) -> Story:
    """The story of `spec`, whose folders must be in reach, as `ledger` has it. teacher: see teacher_of. saved: the
    label of the run whose student is kept."""
    told = teacher or {}
    selecting, reporting = splits_of(spec)
    opened = {split: coded for split, place in spec.dev.items() if (coded := _open(place)) is not None}
    runs = [_run(ledger, entry.label, spec) for entry in ledger.entries()]
    answers = _unpacked(told.get("answers", {}))
    labels = {split: np.asarray(coded.labels) for split, coded in opened.items()}
    scores = {reporting: spec.teacher_score, **told.get("scores", {})}
    for split, given in answers.items():
        if split not in scores and len(labels.get(split, ())) == len(given):
            scores[split] = score_of(spec.task, given, labels[split])
    contenders = contests(spec, runs, labels, selecting, reporting)
    return Story(
        sweep=spec.name,
        task=spec.task.name,
        kind=spec.task.kind,
        classes=spec.task.labels,
        metric=spec.task.primary,
        source=spec.source,
        teacher=Network(spec.teacher_name, spec.teacher_parameters, scores, *_speed(spec.teacher_cost)),
        student=Network(spec.student, spec.student_parameters, {}, *_speed(spec.cost_of({}))),
        selecting=selecting,
        reporting=reporting,
        runs=runs,
        contenders=contenders,
        trials=[ledger.frozen(run.label) for run in runs if run.kind == "search"],
        labels=labels,
        lengths={split: coded.lengths for split, coded in opened.items()},
        teacher_answers=answers,
        space=f"{spec.space}, sampler {spec.sampler}, {spec.trials} trials, seed {spec.seed}",
        about={"fingerprint": spec.fingerprint},
        finals_left=_finals_left(ledger),
        aimed=_aimed(spec, ledger, contenders),
        costs_of=spec.costs_of,
        stored=told.get("stored"),
        workers=spec.workers,
        saved=saved,
        floor=None if reporting not in opened else floor_of_split(spec, opened[reporting]),
    )


def _aimed(spec: SweepSpec, ledger: Ledger, contenders: Sequence[Contender]) -> Aimed | None:
    """Whom the aim chooses: of those that ran on fresh seeds, before there are any of those whose students are kept."""
    plain = undistilled(ledger)
    if contenders:
        one = choose(spec, contenders, plain)
        return aimed(spec, one.name, one.select.mean, confirmed(contenders, plain))
    best = kept(ledger, spec)
    return None if best is None or best.score is None else aimed(spec, best.label, best.score, plain)


def _finals_left(ledger: Ledger) -> int:
    """Final runs that have not ended, as far as one can tell by now."""
    states = {entry.label: entry.state for entry in ledger.entries()}
    planned = [states.get(final.label, TrialState.RUNNING) for final, _ in ledger.planned_finals()]
    return planned.count(TrialState.RUNNING)


def _run(ledger: Ledger, label: str, spec: SweepSpec) -> Run:
    entry = ledger.entry(label)
    flops, latency, speedup = _speed(spec.cost_of(entry.settings))
    marks = [mark for _, mark in sorted(ledger.marks(label).items())]
    # The last report alone is read whole: there may be many thousands of them.
    last = ledger.journal.at(marks[-1].place)["report"] if marks else {}
    return Run(
        label=label,
        kind=kind_of(label),
        state=entry.state.name.lower(),
        settings=entry.settings,
        progress=[mark.progress for mark in marks],
        scores=[mark.score for mark in marks],
        metrics=last.get("metrics", {}),
        seconds=last.get("seconds", 0.0),
        error=entry.error,
        answers=_unpacked(last.get("answers", {})),
        student=spec.student_of(entry.settings),
        parameters=spec.parameters_of(entry.settings),
        flops=flops,
        latency=latency,
        speedup=speedup,
        taught=_taught(spec, entry.settings) * (marks[-1].progress if marks else 0.0),
    )


def _taught(spec: SweepSpec, settings: Mapping[str, Any]) -> float:
    """Epochs of a whole run that asks the teacher about every row. None of a chain: it learns from the teacher in part,
    and in part from its own earlier runs."""
    method = METHODS[settings["method"]]
    return float(settings.get("epochs", spec.training.epochs)) * (method.needs_teacher and method.chain is None)


def _speed(cost: Cost | None) -> tuple[int | None, float | None, tuple[float, float, float] | None]:
    if cost is None:
        return None, None, None
    return cost.flops, cost.latency, None if cost.speedup is None else astuple(cost.speedup)


def kind_of(label: str) -> Kind:
    """What a run is for, by its label."""
    return "baseline" if label == BASELINE else "final" if finals.parse(label) else "search"


def _unpacked(packed: Mapping[str, str]) -> dict[str, np.ndarray]:
    return {split: unpack(text) for split, text in packed.items()}


def _open(place: str) -> Encoded | None:
    """A split, if it is still there: the cache may have been cleared since."""
    try:
        return Encoded.open(storage.at_hand(place))
    except (OSError, ValueError, UserError):
        return None


def teacher_of(found: Room) -> dict[str, Any]:
    """What the sweep kept of its teacher: what TEACHER holds, and `stored`, the store (see Stored) that it read."""
    place = storage.join(found.place, TEACHER)
    told = dict(json.loads(storage.read_text(place))) if storage.exists(place) else {}
    return told | {"stored": noted(found)}
