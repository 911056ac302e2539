"""The table at the end of a sweep."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raykd.search.display import settings_text
from raykd.search.sweep import SweepResult


def print_result(result: SweepResult, console: Console) -> None:
    """Teacher, undistilled student, best student; where it lies and how to use it."""
    spec = result.spec
    table = Table(
        title=f"{spec.name}: {spec.task.primary} on dev", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in ("", spec.task.primary, "parameters", "what"):
        table.add_column(heading)
    table.add_row(
        "teacher", f"{spec.teacher_score:.4f}", f"{spec.teacher_parameters / 1e6:.1f} M", escape(spec.teacher_name)
    )
    small = f"{spec.student_parameters / 1e6:.1f} M"
    if result.baseline is not None and result.baseline.score is not None:
        what = escape(f"{spec.student}, same budget, {settings_text(result.baseline.settings)}")
        table.add_row("student, undistilled", f"{result.baseline.score:.4f}", small, what)
    if result.best is not None and result.best.score is not None:
        what = escape(f"{spec.student}, {result.best.label}: {settings_text(result.best.settings)}")
        table.add_row("best student", f"[bold]{result.best.score:.4f}[/]", small, what)
    console.print()
    console.print(table)
    states = Counter(entry.state.name.lower() for entry in result.entries)
    console.print("trials: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    if result.best is None:
        console.print("no distilled trial completed")
    elif result.champion is result.baseline:
        console.print("no distilled student beat the undistilled one: the undistilled one is kept as champion")
    if result.student is not None:
        console.print(f"student: {result.student}", markup=False)
        if result.model is not None:
            console.print(f"model:   {result.model} in {spec.tracking_uri}", markup=False)
    if result.page is not None:
        console.print(f"runs:    {result.page}", markup=False)
    for note in result.notes:
        console.print(f"[yellow]{escape(note)}[/]")
    if not result.complete:
        console.print(f"not complete: go on with raykd tune --task {spec.task.name} --name {spec.name} --resume")
