"""Teaching and distilling as functions (a sweep is `raykd.search.launch.tune`). Each tells a rich console its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from raykd.beside import Beside
from raykd.cpus import thread_count
from raykd.disk import require_room
from raykd.errors import together
from raykd.methods import find as find_method
from raykd.methods.plan import check_pair
from raykd.models.source import version
from raykd.models.student import parse_student
from raykd.outputs import OutputFolder, check_folder, default_folder, moved, put_folder
from raykd.prepare import check_head, parameters_of, prepare, training_of
from raykd.tasks.holdout import with_selection
from raykd.tasks.source import Source
from raykd.tasks.summary import data_lines
from raykd.teachers import long_enough, task_spec, teach_teacher
from raykd.train.checkpoint import scratch
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.resumable import resumable
from raykd.train.run_files import STUDENT, clear_run
from raykd.train.teach import TEACH
from raykd.workspace import here


def teach(
    task: str,
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    teacher: str | None = None,
    out: str | Path | None = None,
    console: Console | None = None,
    **settings: Any,
) -> tuple[Path, dict[str, float]]:
    """Fine-tune an encoder on the task. Returns the folder it was saved to and its dev metrics.

    settings: fields of Training; without epochs, as many as small data want (see `long_enough`). The teacher is that of
    the best evaluation on a tenth of train, which it does not learn. out: a new or empty folder, or a teacher that
    raykd taught and nobody has changed; by default ``raykd-runs/teachers/<task>``, or with a number behind it where
    another one is there, be it a teacher of other rows.
    """
    console = console or Console()
    workspace, inputs = here(), {"teacher": teacher, **source.paths}
    checks: list[Callable[[], Any]] = [
        lambda: training_of(settings),
        lambda: None if out is None else check_folder(out, inputs, workspace, command=TEACH),
    ]
    training, target = together(checks)
    data = source.load(task)
    if target is None:
        about = {"task": task_spec(data).model_dump(mode="json"), "fingerprint": data.fingerprint}

        def suits(card: Mapping[str, Any]) -> bool:
            same = {"task": card.get("spec", {}).get("task"), "fingerprint": card.get("fingerprint")} == about
            return same and card.get("command") == TEACH

        target = default_folder(workspace.teachers / data.identity, suits, inputs)
    say = partial(console.print, markup=False)  # names may hold brackets
    for line in data_lines(data):
        say(f"data: {line}")
    if settings.get("epochs") is None:
        training = long_enough(training, len(with_selection(data).train))
    folder, scores = teach_teacher(data, teacher, training, target, workspace, say)
    if note := moved(target.path, folder):
        say(note)
    return folder, scores


def distill(
    task: str,
    source: Source = Source(),  # noqa: B008 (frozen)
    *,
    method: str = "kd",
    parameters: dict[str, Any] | None = None,
    teacher: str | None = None,
    student: str | None = None,
    head: str = "fresh",
    label_map: str | None = None,
    out: str | Path | None = None,
    beside: Beside = Beside(),  # noqa: B008 (frozen)
    console: Console | None = None,
    **settings: Any,
) -> tuple[Path, Report]:
    """Distil one student with one configuration. Returns its folder and the last report.

    parameters: of the method, its paper's defaults otherwise. head: where a cut student's head comes from. label_map:
    which class each output of the teacher is. out: a new or empty folder, by default the first of
    ``raykd-runs/students/<task>-<method>``, ``-2``, ``-3`` that is not there: an earlier student is never replaced.
    settings: fields of Training. An interrupted run goes on from its last checkpoint when it is started again with the
    same settings.
    """
    from raykd.train.trial import run_trial

    console = console or Console()
    found = find_method(method)
    workspace = here()
    inputs = {"teacher": teacher, "student": student, **source.paths, **beside.paths}
    checks: list[Callable[[], Any]] = [
        lambda: training_of(settings),
        lambda: student and parse_student(student),
        lambda: parameters_of(found, parameters or {}),
        lambda: check_head(head),
        lambda: None if out is None else check_folder(out, inputs, workspace, command=None),
    ]
    training, _, _, _, target = together(checks)
    data = source.load(task)
    folder = target.path if target else workspace.root / "students" / f"{data.identity}-{method}"
    suits = partial(check_pair, found, parameters or {})
    say = partial(console.print, markup=False)  # names may hold brackets
    prepared = prepare(data, teacher, training, workspace, say, student, suits, beside, head, label_map=label_map)
    spec = TrialSpec(
        label=folder.name,
        folder="",
        task=prepared.task,
        train=str(prepared.train),
        dev={name: str(path) for name, path in prepared.dev.items()},
        teacher=str(prepared.teacher),
        student=prepared.student,
        origin=str(prepared.origin),
        head=head,
        corpus=prepared.corpus and str(prepared.corpus),
        method=method,
        parameters=parameters or {},
        training=training,
        threads=thread_count(),
    )
    place = scratch(folder, spec, version(prepared.teacher))
    spec = spec.model_copy(update={"folder": str(place)})

    def tell(report: Report) -> bool:
        primary = prepared.task.primary
        console.print(f"{report.progress:4.0%} trained, {primary} {report.score:.4f}, {report.seconds:.0f} s")
        return True

    require_room(folder, prepared.sizes[prepared.student])
    with resumable(place, say) as leave:
        last = run_trial(spec, tell, leave=leave)
        assert last is not None  # only a report that answers False ends a run early
        saved = put_folder(place / STUDENT, target or OutputFolder(folder))
    if target and (note := moved(target.path, saved)):
        say(note)
    clear_run(place)
    return saved, last
