"""A sweep from its specification to its champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console

from raykd import storage
from raykd.errors import UserError
from raykd.interrupts import Interrupted, request
from raykd.report import words
from raykd.report.curves import Curve, draw, write_table
from raykd.report.note import note
from raykd.report.page import REPORT, write_report
from raykd.report.saved import Saved, saved_of
from raykd.report.verdict import verdict
from raykd.resume_line import resume_line
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
from raykd.search.result_files import put_champion, put_results, send_page
from raykd.search.room import CHAMPION, Room
from raykd.search.scores import metrics_of, tags_of
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tracking.reconcile import Reconciler
from raykd.tracking.study import StudyMirror, set_aside, study_uri
from raykd.tracking.tracker import Conclusion, Tracker
from raykd.train.run_files import STUDENT, clear_trial
from raykd.train.told import told

TRIALS = "trials"
HURRY_S = 10.0  # for which servers are waited for when the process was asked to end


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
    complete: bool  # False when the time budget, a full disk or a signal ended it: --resume goes on
    notes: tuple[str, ...] = ()  # what fell short, for a person
    said: tuple[str, ...] = ()
    report: Path | None = None  # the page for a browser
    planned: int = 0  # trials, the baseline and the finals included
    signal: int = 0  # that ended it, 0 for none
    stopped: str = ""  # why it cannot go on for now
    saved: Saved | None = None  # the run whose student that is, with its own scores and the means beside them


Show = Callable[[SweepResult], object]


def run_sweep(
    spec: SweepSpec,
    space: Space,
    room: Room,
    console: Console,
    *,
    time_budget: float | None = None,
    reopen: bool = False,
    show: Show = lambda result: None,
) -> SweepResult:
    """Run what is left of the sweep in `room`, keep and register its best student. Ray must be there already.

    A signal that asks the process to end ends the sweep as a time budget does.

    Args:
        time_budget: in seconds.
        reopen: go on with a search that an earlier time budget has closed, instead of with its finals alone.
        show: told the result as soon as it stands, before MLflow and all others are waited for.

    Raises:
        UserError: another process holds the sweep, or takes it over.
        Interrupted: a second signal came, or one when the sweep was over.
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
        if there := ledger.entries():
            left = len(ledger.running)
            more = f", {left} under way" if left else ""
            say(f"resuming: {len(there) - left} of {ledger.planned} trials are there{more}")
        set_aside(room.folder, say)
        study = StudyMirror(spec, spec.study_uri or study_uri(room.folder), ledger.frozen, say)
        tracker = Tracker(spec, ledger, room.artifacts, say)
        _clean_all(ledger)

        def remove(what: str) -> None:
            _clean(ledger, what.partition("/")[0], student="/" in what)

        cleaner = Reconciler("the trials' place", remove, say)  # it takes long in a store

        def clean(label: str, student: bool) -> None:
            safe.after(partial(cleaner.touch, f"{label}/{STUDENT}" if student else label))

        with request() as asked, display:
            conductor = Conductor(ledger, [After(safe, study), After(safe, tracker)], display, clean)
            if room.remote:
                _hear(conductor)
            try:
                keep = Reserve(ledger, time_budget, say) if time_budget is not None and spec.finalists else None
                ray_tune.run(conductor, spec, room.folder, time_budget=time_budget, reserve=keep, asked=asked)
            except Exception:
                if not taken.is_set():  # else the journal refused, and whatever came of that is told below
                    raise
        if taken.is_set():
            raise UserError(f"another process has taken over sweep '{spec.name}': this one ends, it goes on there")
        patience = HURRY_S if asked.number else PATIENCE_S
        again = resume_line(spec.task.name, spec.name)
        try:
            result, end = _conclude(conductor, spec, room, asked.number)
            show(result)
            safe.wait(patience)
            _send(room, result)
            notes = _write_elsewhere(tracker, study, end, patience, again, say)
            if cleaner.close(patience):
                say(f"warning: {ledger.trials} still holds what trials left; a --resume removes it")
        except Interrupted as error:
            error.kept, error.again = "all trials are kept, but not all of it is written to MLflow yet", again
            raise
        return replace(result, model=tracker.model, page=tracker.page, notes=(*result.notes, *notes))


def _send(room: Room, result: SweepResult) -> None:
    """Put what the sweep leaves where all machines find it."""
    if room.remote and result.student is not None and result.report is not None:
        storage.send(result.student, storage.join(room.place, CHAMPION))
        send_page(result.report, room.place)


def _write_elsewhere(
    tracker: Tracker, study: StudyMirror, end: Conclusion, patience: float, again: str, say: Callable[[str], object]
) -> list[str]:
    """Have MLflow and the study's database hold all of the sweep, and say what is waited for; what they lack then."""

    def waiting(what: str, left: int) -> None:
        say(
            f"waiting for {what} to take what is left ({left} runs), {words.time(patience)} at most; Ctrl-C is safe, "
            f"and {again} writes the rest"
        )

    notes = []
    if left := tracker.conclude(end, patience, partial(waiting, "MLflow")):
        notes.append(f"MLflow does not hold {left} runs yet{tracker.refusal}; {again} writes them")
    if left := study.close(patience, partial(waiting, "the study's database")):
        notes.append(f"the study's database does not hold {left} trials yet; {again} writes them")
    return notes


def _conclude(conductor: Conductor, spec: SweepSpec, room: Room, signal: int) -> tuple[SweepResult, Conclusion]:
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
        student = put_champion(storage.join(ledger.trials, champion.label, STUDENT), room.folder / CHAMPION)
        files = put_results(room.folder, lambda folder: _show(ledger, spec, folder, entries, found.best))
        page = write_report(story, room.folder / REPORT, cards(spec, story.contenders))
        tags = {"raykd.sweep": spec.name, "raykd.trial": champion.label, **(tags_of(saved) if saved else {})}
        tags["raykd.uid"] = spec.uid  # another home may have a sweep of the same name
        end = replace(end, files=(*files, page), student=student, tags=tags, note=note(story))
        end = replace(end, refused=saved.warning if saved else "")
    notes = []
    if end.student is not None and end.student.name != CHAMPION:
        notes.append(f"'{room.folder / CHAMPION}' holds what raykd did not write, and stays: see '{end.student}'")
    result = SweepResult(
        spec,
        room.folder,
        entries,
        found,
        end.student,
        None,
        None,
        complete,
        tuple(notes),
        (verdict(story).headline, *verdict(story).sentences, *verdict(story).warnings),
        page,
        ledger.planned,
        signal,
        conductor.stopped or "",
        saved=saved,
    )
    return result, end


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
    clear_trial(storage.join(ledger.trials, label), keep=frozenset() if student else frozenset({STUDENT}))


def _clean_all(ledger: Ledger) -> None:
    """After a crash: the leftovers of trials that were over, but not cleaned up yet."""
    keep = ledger.keepers()
    known = {entry.label: entry for entry in ledger.entries()}
    for label in storage.names(ledger.trials):
        if label in known and known[label].state is not TrialState.RUNNING:
            _clean(ledger, label, label not in keep)
