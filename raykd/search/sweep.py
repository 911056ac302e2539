"""A sweep from its specification to its champion."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console

from raykd import storage
from raykd.errors import UserError
from raykd.report.curves import Curve, draw, write_table
from raykd.report.note import note
from raykd.report.page import REPORT, write_report
from raykd.report.saved import Saved, saved_of
from raykd.report.verdict import verdict
from raykd.search.afterwards import PATIENCE_S, After, journal_in
from raykd.search.card import cards
from raykd.search.conductor import Conductor
from raykd.search.display import LiveDisplay
from raykd.search.entry import Entry
from raykd.search.found import Found, look, splits_of
from raykd.search.holder import held
from raykd.search.judged import goodness_by
from raykd.search.ledger import Ledger
from raykd.search.read_story import teacher_of, tell
from raykd.search.reserve import Reserve
from raykd.search.room import CHAMPION, Room
from raykd.search.scores import metrics_of, tags_of
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tracking.reconcile import Reconciler
from raykd.tracking.study import StudyMirror, set_aside, study_uri
from raykd.tracking.tracker import Conclusion, Tracker
from raykd.train.told import told
from raykd.train.trial import STUDENT

TRIALS = "trials"


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found (see Found). student: the folder of its champion; said: the verdict in sentences."""

    spec: SweepSpec
    folder: Path
    entries: list[Entry]
    found: Found
    student: Path | None
    model: str | None  # MLflow URI of the champion
    page: str | None  # of the runs on MLflow's server
    complete: bool  # False when the time budget or a full disk ended it: --resume goes on
    notes: tuple[str, ...] = ()  # what fell short, for a person
    said: tuple[str, ...] = ()
    report: Path | None = None  # the page for a browser
    saved: Saved | None = None  # the run whose student that is, with its own scores and the means beside them


def run_sweep(
    spec: SweepSpec,
    space: Space,
    room: Room,
    console: Console,
    *,
    time_budget: float | None = None,
    reopen: bool = False,
) -> SweepResult:
    """Run what is left of the sweep in `room`, keep and register its best student. Ray must be there already.

    reopen: go on with a search that an earlier time budget has closed, instead of with its finals alone. Raises
    UserError when another process holds the sweep, or takes it over.
    """
    from raykd.search import ray_tune

    def say(line: str) -> None:
        console.print(line)

    display = LiveDisplay(console, metric=spec.task.primary, teacher_score=spec.teacher_score)
    with (
        held(spec.name, room.folder, room.place, say) as taken,
        journal_in(room, say, lambda: not taken.is_set()) as (journal, safe),
    ):
        place = storage.join(room.place, TRIALS)
        ledger = Ledger(journal, spec, space, place, *([goodness_by(spec)] if spec.pruner == "paired" else []))
        if reopen:
            ledger.reopen()
        set_aside(room.folder, say)
        study = StudyMirror(spec, spec.study_uri or study_uri(room.folder), ledger.frozen, say)
        tracker = Tracker(spec, ledger, room.artifacts, say)
        _clean_all(ledger)

        def remove(what: str) -> None:
            _clean(ledger, what.partition("/")[0], student="/" in what)

        cleaner = Reconciler("the trials' place", remove, say)  # it takes long in a store

        def clean(label: str, student: bool) -> None:
            safe.after(partial(cleaner.touch, f"{label}/{STUDENT}" if student else label))

        with display:
            conductor = Conductor(ledger, [After(safe, study), After(safe, tracker)], display, clean)
            if room.remote:
                _hear(conductor)
            try:
                keep = Reserve(ledger, time_budget, say) if time_budget is not None and spec.finalists else None
                ray_tune.run(conductor, spec, room.folder, time_budget=time_budget, reserve=keep)
            except Exception:
                if not taken.is_set():  # else the journal refused, and whatever came of that is told below
                    raise
        if taken.is_set():
            raise UserError(f"another process has taken over sweep '{spec.name}': this one ends, it goes on there")
        safe.wait(PATIENCE_S)
        result = _conclude(conductor, spec, room, study, tracker)
        if cleaner.close(PATIENCE_S):
            say(f"warning: {ledger.trials} still holds what trials left; a --resume removes it")
        return result


def _conclude(conductor: Conductor, spec: SweepSpec, room: Room, study: StudyMirror, tracker: Tracker) -> SweepResult:
    ledger = conductor.ledger
    story = tell(spec, ledger, teacher_of(room))
    found, entries = look(ledger, spec, story.contenders), ledger.entries()
    complete = ledger.exhausted and not ledger.running
    champion = found.champion
    story = replace(story, saved=champion.label if champion is not None else None)
    saved = saved_of(story)
    page: Path | None = None
    end = Conclusion("FINISHED" if complete else "KILLED", metrics_of(spec, found, saved))
    if champion is not None:
        student = room.folder / CHAMPION
        _replace(storage.join(ledger.trials, champion.label, STUDENT), student)
        files = _show(ledger, spec, room.folder, entries, found.best)
        page = write_report(story, room.folder / REPORT, cards(spec, story.contenders))
        if room.remote:
            storage.send(student, storage.join(room.place, CHAMPION))
            storage.write_text(storage.join(room.place, REPORT), page.read_text(encoding="utf-8"))
        tags = {"raykd.sweep": spec.name, "raykd.trial": champion.label, **(tags_of(saved) if saved else {})}
        tags["raykd.uid"] = spec.uid  # another home may have a sweep of the same name
        end = replace(end, files=(*files, page), student=student, tags=tags, note=note(story))
        end = replace(end, refused=saved.warning if saved else "")
    again = f"raykd tune --task {spec.task.flag} --name {spec.name} --resume"
    notes = [conductor.stopped] if conductor.stopped else []
    if left := tracker.conclude(end, PATIENCE_S):
        notes.append(f"MLflow is still away: {left} runs are not written there yet; {again} writes them")
    if left := study.close(PATIENCE_S):
        notes.append(f"the study's database is still away: {left} trials are not there yet; {again} writes them")
    return SweepResult(
        spec,
        room.folder,
        entries,
        found,
        end.student,
        tracker.model,
        tracker.page,
        complete,
        tuple(notes),
        (verdict(story).headline, *verdict(story).sentences, *verdict(story).warnings),
        page,
        saved=saved,
    )


def _show(ledger: Ledger, spec: SweepSpec, folder: Path, entries: list[Entry], best: Entry | None) -> list[Path]:
    """The sweep's picture and table."""
    curves = []
    for entry in entries:
        marks = [mark for _, mark in sorted(ledger.marks(entry.label).items())]
        progress, scores = [mark.progress for mark in marks], [mark.score for mark in marks]
        curves.append(Curve(entry.label, entry.state.name.lower(), entry.settings, progress, scores))
    title = f"{spec.name}: {spec.student} of {spec.teacher_name}"
    selecting, reporting = splits_of(spec)
    shown = [curve for curve, entry in zip(curves, entries, strict=True) if entry.kind != "final"]
    picture = draw(
        folder,
        shown,
        title=title,
        metric=f"{spec.task.primary} on {selecting}",
        teacher=spec.teacher_score if selecting == reporting else None,
        best=best.label if best else None,
    )
    return [picture, write_table(folder, curves)]


def _hear(conductor: Conductor) -> None:
    """What trials under way had said, though the journal that is left does not have it."""
    for label in conductor.ledger.running:
        for report in told(conductor.ledger.spec_of(label)):
            if conductor.reported(label, report):
                conductor.stopped_early(label)
                break


def _clean(ledger: Ledger, label: str, student: bool) -> None:
    """Remove what trial `label`, which is over, has left: checkpoints, earlier links of a chain, and its student if
    `student` (only the best one's and the baseline's are kept)."""
    place = storage.join(ledger.trials, label)
    for name in storage.names(place):
        if student or name != STUDENT:
            storage.remove(storage.join(place, name))


def _clean_all(ledger: Ledger) -> None:
    """After a crash: the leftovers of trials that were over, but not cleaned up yet."""
    keep = ledger.keepers()
    known = {entry.label: entry for entry in ledger.entries()}
    for label in storage.names(ledger.trials):
        if label in known and known[label].state is not TrialState.RUNNING:
            _clean(ledger, label, label not in keep)


def _replace(source: str, target: Path) -> None:
    """Put the folder `source` in the place of `target`, which is whole at every moment."""
    if storage.is_url(source):
        storage.fetch(source, target)
        return
    temporary = target.with_suffix(".new")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
