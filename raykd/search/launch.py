"""`raykd tune` as a function: what was asked for, checked all at once, completed with sound defaults, and run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console

from raykd import storage
from raykd.beside import Beside
from raykd.disk import require_room
from raykd.dry_run import dry_run_of
from raykd.errors import UserError, together
from raykd.interrupts import Interrupted
from raykd.models.source import resolve
from raykd.models.spec import Given, parse_student
from raykd.paths import expand_address
from raykd.prepare import check_head, prepare, training_of
from raykd.resume_line import resume_line
from raykd.search.aims import parse_aim
from raykd.search.announce import announce
from raykd.search.baseline import baseline_settings
from raykd.search.bill import Bill, all_rows
from raykd.search.changed_rows import warn_of_changed_rows
from raykd.search.choose import choose
from raykd.search.costs import costs
from raykd.search.earlier import warmed
from raykd.search.fidelity import fidelity
from raykd.search.found import splits_of
from raykd.search.hardware import Asked, check_shares, fit_here, fit_there
from raykd.search.how import How
from raykd.search.preflight import suitable, suitable_students
from raykd.search.proposals import Proposer
from raykd.search.read_story import TEACHER
from raykd.search.request import SweepRequest, request_of
from raykd.search.room import Room, claim, new_room, newest, room
from raykd.search.sockets import check_sockets
from raykd.search.space import Space
from raykd.search.spec import SPEC, SweepSpec
from raykd.search.students import asked as described
from raykd.search.students import shared_out, students_of, with_students
from raykd.search.sweep import Show, SweepResult, run_sweep
from raykd.tasks.source import Source
from raykd.tracking.preflight import Unreachable, check_study, check_tracking
from raykd.tracking.tracker import experiment_name
from raykd.train.config import Training
from raykd.workspace import Workspace, here


def tune(
    task: str,
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    method: str | None = None,
    space: str | None = None,
    teacher: str | None = None,
    student: str | Sequence[str] | None = None,
    head: str = "fresh",
    label_map: str | None = None,
    how: How = How(),  # noqa: B008 (frozen)
    epochs: float | None = None,
    seed: int = 1,
    time_budget: float | None = None,
    cache_budget: str | None = None,
    address: str | None = None,
    wait_for_nodes: float = 0.0,
    concurrency: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    tracking_uri: str | None = None,
    study_uri: str | None = None,
    name: str | None = None,
    resume: bool = False,
    continue_: bool = False,
    max_length: int | None = None,
    dry_run: bool = False,
    beside: Beside = Beside(),  # noqa: B008 (frozen)
    console: Console | None = None,
    show: Show = lambda result: None,
) -> SweepResult | None:
    """Search for the best student of `task`. Every None is chosen for the data and the hardware, and printed.

    student: a description, or several, which are then searched like any setting. head: where a cut student's head comes
    from. how: trials, sampler, what selects, when trials are stopped, who runs again on fresh seeds, what the champion
    is chosen by. cache_budget: disk that what is stored of the teacher may take, such as "20GB"; beyond that it is
    asked live; None: half of what is free. address: of a running Ray cluster, "auto" or HOST:PORT; None: this machine.
    study_uri: a database for the Optuna study (or RAYKD_STUDY_URI). beside: texts beside the task's rows. resume: go on
    with the sweep `name` (or the newest that has what is asked for) as it was started; but for the hardware,
    time_budget and how.extend, an argument that is not what the sweep was started with is an error. continue_: start
    the sweep `name`, or go on with it if it was started before: what a job that may be repeated uses. dry_run: prepare,
    say what it will cost, and leave it at that: the result is None.
    show: told the result as soon as it stands, before MLflow is waited for.

    time_budget: seconds from the first trial on. The search leaves as many as the finals will take, so it may be closed
    before it has had all its trials. A resume then ends the finals and leaves the search closed. With a time_budget of
    its own, or how.extend, it goes on with the search as well, up to the trials asked for at first (and those added),
    and with the finals of whoever is among the best by then. continue_ asks for no more than it did at first: what is
    closed stays closed. Raises UserError with every problem found.
    """
    console, address = console or Console(), address or None
    asked = Asked(address, concurrency, workers_per_trial, gpus_per_worker, wait_for_nodes)
    first: list[Callable[[], Any]] = [here, lambda: _bytes(cache_budget), asked.check]
    first += [lambda: _check_budget(time_budget)]  # a resume may have one of its own
    first += [lambda: None if address else check_sockets(partial(console.print, markup=False))]
    first += [lambda: _check_again(resume, continue_, name, how.extend)]
    workspace, most_bytes = together(first)[:2]
    request = request_of(
        task, source, how, beside, teacher=teacher, student=student, method=method, space=space, head=head,
        label_map=label_map, epochs=epochs, seed=seed, max_length=max_length, workers_per_trial=workers_per_trial,
    )  # fmt: skip
    if resume or (continue_ and name is not None and room(workspace, name).started):
        found = newest(workspace, request) if name is None else room(workspace, name)
        return _resume(
            found, request, workspace, asked, console, time_budget, most_bytes, how.extend, show, reopen=resume
        )
    sample = source.data == "sample"
    pinned = {} if epochs is None else {"epochs": epochs}
    study_uri = study_uri or os.environ.get("RAYKD_STUDY_URI") or None
    study_uri = study_uri and expand_address(study_uri)
    tracking_uri = expand_address(tracking_uri or workspace.tracking_uri)
    checks: list[Callable[[], Any]] = [
        lambda: choose(space, method, sample=sample, pinned=pinned),
        lambda: training_of({"seed": seed, "max_length": max_length or (64 if sample else None), **pinned}),
        lambda: described(student),
        lambda: None if address else fit_here(asked),
        lambda: None if name is None else new_room(workspace, name, ""),
        how.check,
        lambda: check_head(head),
        lambda: _check_uris(tracking_uri, study_uri),
        lambda: source.load(task),
    ]
    wanted, training, given, fit, *_, data = together(checks)
    searched = method or (Path(space).stem if space else "" if sample else "kd")
    stem = "-".join(filter(None, (data.identity, searched)))
    wanted = with_students(wanted, given)
    aim = None if how.aim is None else str(parse_aim(how.aim, data.task.primary))
    Proposer(wanted, sampler=how.sampler, seed=seed)  # refuses a space that the sampler cannot search
    check_shares(wanted, training, workers_per_trial)

    def check() -> None:
        if not dry_run:
            check_tracking(tracking_uri, experiment_name(data.identity), workspace.artifacts)
            if study_uri is not None:
                check_study(study_uri)

    with ExitStack() as stack:
        if address:  # joined before anything takes long: it may be the wrong one, or too small
            from raykd.search import cluster, ray_tune

            stack.enter_context(cluster.session(address, ray_tune.worker_environment(1)))
            fit = fit_there(asked, console.print)
        dry = stack.enter_context(dry_run_of(data, workspace)) if dry_run else None
        suits = partial(suitable, wanted)
        say = partial(console.print, markup=False)  # names may hold brackets
        held_out = how.select_on != "dev"
        students = students_of(wanted) or given
        spare = not given  # a space is made for teachers of every size
        ready = prepare(
            data if dry is None else dry.data,
            teacher,
            training,
            workspace,
            say,
            students,
            suits,
            beside,
            head,
            check=check,
            hold_out=held_out,
            spare=spare,
            dry=dry,
            label_map=label_map,
        )
        chosen, notes = suitable_students(wanted, ready.pairs, ready.origin)
        prices = costs(ready)
        if how.warm_start:
            chosen, more = warmed(chosen, tracking_uri, data.identity)
            notes += more
        chosen = shared_out(chosen, 1 if aim is None else how.trials)
        if not dry_run:
            require_room(workspace.root, max(ready.sizes.values()))
        found = new_room(workspace, name, stem) if dry_run else claim(workspace, name, stem, again=continue_)
        for note in notes:
            say(f"space: {note}")
        names = students_of(chosen) or (ready.student,)
        used = training.model_copy(update=_training_of(baseline_settings(chosen)))
        rows = all_rows(dry, ready.rows[1], {next(iter(ready.dev)): ready.rows[0]})
        few = fidelity(rows.select, rows.train, used, grace=how.grace, reduction=how.reduction)
        publish = partial(workspace.publish, copy=address is not None)
        places = _given(names, publish) if address or workspace.url else {}
        spec = SweepSpec(
            name=found.folder.name,
            request=request,
            task=ready.task,
            source=ready.source,
            fingerprint=ready.fingerprint,
            train=publish(ready.train),
            dev={split: publish(path) for split, path in ready.dev.items()},
            teacher=publish(ready.teacher),
            teacher_name=ready.teacher_name,
            teacher_score=ready.teacher_score,
            teacher_parameters=ready.teacher_parameters,
            student=names[0],
            origin=publish(ready.origin),
            head=head,
            student_parameters=ready.sizes[names[0]],
            student_place=places.pop(names[0], None),
            student_places=places,
            costs={name: prices.students[name] for name in names},
            teacher_cost=prices.teacher,
            costs_of=prices.about,
            aim=aim,
            corpus=ready.corpus and publish(ready.corpus),
            space=chosen.name,
            method=method,
            pinned=pinned,
            sampler=how.sampler,
            trials=how.trials,
            training=training,
            concurrency=fit[0],
            workers=workers_per_trial,
            gpus_per_worker=fit[1],
            seed=seed,
            tracking_uri=tracking_uri,
            study_uri=study_uri,
            pruner=how.pruner,
            floor=ready.floor,
            grace=few.grace,
            reduction=few.reduction,
            max_epochs=how.max_epochs_total,
            finalists=how.finalists,
            final_seeds=how.final_seeds,
        )
        if not dry_run:
            scores = {"scores": {splits_of(spec)[1]: ready.teacher_score}, "answers": ready.teacher_answers}
            found.write(spec, chosen)
            found.note(TEACHER, json.dumps(scores))
        announce(spec, chosen, console, why=few.why)
        bill = None if dry is None else Bill(dry, ready.tokenising, ready.lesson, ready.lesson_rows)
        return _run(spec, chosen, found, workspace, asked, console, time_budget, most_bytes, show, bill)


def _resume(
    found: Room,
    request: SweepRequest,
    workspace: Workspace,
    asked: Asked,
    console: Console,
    time_budget: float | None,
    cache_budget: int | None,
    extend: int | None,
    show: Show,
    *,
    reopen: bool,
) -> SweepResult | None:
    """Go on with the sweep in `found` as it was started, on the hardware asked for now; `extend` trials longer. reopen:
    where there is more time or there are more trials, also with a search that was closed for want of time. UserError
    where `request` asks for something that the sweep does not have."""
    spec, space = found.read()
    if spec.request is not None:
        request.check_same(spec.name, spec.request)
    warn_of_changed_rows(spec, partial(console.print, markup=False))
    if extend is not None:
        spec = spec.model_copy(update={"trials": spec.trials + extend})
        found.write(spec, space)
    if asked.concurrency is not None:
        spec = spec.model_copy(update={"concurrency": asked.concurrency})
    announce(spec, space, console, again=True)
    _check_again_there(spec, found, console)
    more = reopen and (time_budget is not None or extend is not None)
    return _run(spec, space, found, workspace, asked, console, time_budget, cache_budget, show, None, more, again=True)


def _run(
    spec: SweepSpec,
    space: Space,
    found: Room,
    workspace: Workspace,
    asked: Asked,
    console: Console,
    time_budget: float | None,
    cache_budget: int | None,
    show: Show,
    bill: Bill | None = None,
    reopen: bool = False,
    *,
    again: bool = False,
) -> SweepResult | None:
    """The sweep on this machine or on the cluster, once it is known that every node can take part. bill: of a dry run,
    which says what it costs and ends. again: it was said before."""
    from raykd.search import cluster, ray_tune
    from raykd.search.forecast import forecast
    from raykd.search.gather import gather

    spec = spec.reached(workspace.reach)
    with cluster.session(asked.address, ray_tune.worker_environment(spec.threads)):
        if asked.address is not None:
            reads = [spec.train, *spec.dev.values(), spec.teacher, spec.origin, *([spec.corpus] if spec.corpus else [])]
            paths = [place for place in reads if not storage.is_url(place)]
            token = None if found.remote or bill else found.folder / SPEC
            cluster.check_nodes(console.print, token=token, paths=paths)
        if not again:
            forecast(spec, space, console, bill)
        if bill is not None:
            return None
        try:
            spec = gather(spec, space, workspace, _budget(cache_budget, workspace), console)
        except Interrupted as error:
            error.kept, error.again = "no trial has begun", resume_line(spec.task.name, spec.name)
            raise
        return run_sweep(spec, space, found, console, time_budget=time_budget, reopen=reopen, show=show)


def _check_again_there(spec: SweepSpec, found: Room, console: Console) -> None:
    """MLflow has had part of the sweep: it may be away now, as it may while the sweep runs."""
    try:
        check_tracking(spec.tracking_uri, experiment_name(spec.task.name), found.artifacts)
        if spec.study_uri is not None:
            check_study(spec.study_uri)
    except Unreachable as error:
        console.print(f"warning: {error}; the sweep goes on and writes it later", markup=False)


def _budget(asked: int | None, workspace: Workspace) -> int:
    """Bytes that what is stored of a teacher may take: those asked for, else half of what is free."""
    workspace.root.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(workspace.root).free // 2 if asked is None else asked


def _bytes(size: str | None) -> int | None:
    try:
        return None if size is None else int(TypeAdapter(ByteSize).validate_python(size))
    except ValidationError:
        raise UserError(f"cache-budget '{size}': a size such as 500MB, 20GB or 0") from None


def _check_budget(seconds: float | None) -> None:
    if seconds is not None and not seconds > 0:  # nor NaN
        raise UserError(f"time-budget {seconds:g}: more than 0 seconds")


def _training_of(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name in Training.model_fields}


def _given(students: Sequence[str], publish: Callable[[Path], str]) -> dict[str, str]:
    """The places of those that were given whole, for machines that do not have them."""
    parsed = {student: parse_student(student) for student in students}
    whole = {student: of.name for student, of in parsed.items() if isinstance(of, Given)}
    return {student: publish(resolve(name, role="student")) for student, name in whole.items()}


def _check_again(resume: bool, continue_: bool, name: str | None, extend: int | None) -> None:
    if extend is not None and not resume:
        raise UserError("extend adds trials to a sweep that is there: say --resume with it")
    if extend is not None and extend < 1:
        raise UserError(f"extend {extend}: at least 1")
    if resume and continue_:
        raise UserError("resume and continue: one of them; --continue also starts a sweep that is not there yet")
    if continue_ and name is None:
        raise UserError("continue: say which sweep by --name, since it may have to be started first")


def _check_uris(tracking: str, study: str | None) -> None:
    """They are kept in the sweep's file and printed, so they must not hold passwords."""
    problems = []
    if _password(tracking):
        problems.append("tracking-uri holds a password: put it into MLFLOW_TRACKING_USERNAME and _PASSWORD instead")
    if study is not None and _password(study):
        problems.append("study-uri holds a password: put it into PGPASSWORD or a password file (PGPASSFILE) instead")
    if study is not None and "://" not in study:
        problems.append(f"study-uri '{study}': a database address such as postgresql://user@host/database")
    if problems:
        raise UserError(*problems)


def _password(uri: str) -> bool:
    try:
        return urlsplit(uri).password is not None
    except ValueError:
        return False
