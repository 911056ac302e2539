"""What a sweep will do, defaults included, said before it is done."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial

from rich.console import Console
from rich.markup import escape

from raykd.models.cost import Cost
from raykd.report import words
from raykd.report.tables import faster, flops_text, time_text
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.search.students import students_of


def announce(spec: SweepSpec, space: Space, console: Console, *, again: bool = False, why: str = "") -> None:
    """Say what will be done, defaults included, before it is done."""
    size = space.size()
    points = "no end of points" if size is None else f"{size:,} points"
    name = escape(spec.name)
    console.print(f"sweep: {'resuming ' if again else ''}[bold]{name}[/], {spec.trials} trials and the baseline")
    if spec.finalists:
        console.print(
            f"finals: the best {spec.finalists} configurations, none and kd run again on {spec.final_seeds} fresh seeds"
        )
    say = partial(console.print, markup=False)
    say(f"space: {space.name} ({points}); {space.about}; sampler {spec.sampler}, seed {spec.seed}")
    students = students_of(space) or (spec.student,)
    for number, student in enumerate(students):
        of = {"student": student}
        baseline = " (also that of the baseline)" if number == 0 and len(students) > 1 else ""
        say(f"student: {student}{baseline}, {_size(spec.parameters_of(of), spec.cost_of(of))}")
    say(f"teacher: {spec.teacher_name}, {_size(spec.teacher_parameters, spec.teacher_cost)}")
    if spec.costs_of:
        say(f"latency: {spec.costs_of}")
    if spec.aim is not None:
        say(f"aim: {spec.aim}")
    per_trial = f"{spec.workers} worker(s) a trial" + (
        f", {spec.gpus_per_worker:g} GPU each" if spec.gpus_per_worker else ""
    )
    say(f"running {spec.concurrency} trials at once, {per_trial}; {_stopping(spec)}{f' ({why})' if why else ''}")
    say(f"MLflow: {spec.tracking_uri}")


def _size(parameters: int, cost: Cost | None) -> str:
    said = f"{words.size(parameters)} parameters"
    if cost is None:
        return said
    said += f", {flops_text(cost.flops)}FLOPs and {time_text(cost.latency)} a row"
    return said if cost.speedup is None else f"{said}, {faster(astuple(cost.speedup))}"


def _stopping(spec: SweepSpec) -> str:
    if spec.pruner == "none":
        return "no trial is stopped early"
    best = f"the better 1 in {spec.reduction} goes on" if spec.pruner == "halving" else "the surely worse do not go on"
    return f"a trial may be stopped from evaluation {spec.grace} of {spec.training.evaluations}, {best}"
