"""The command that runs a trial of a sweep again, to see that it gives the same."""

from __future__ import annotations

from typing import Annotated

import typer

from raykd.terminal import terminal


def repro(
    trial: Annotated[str, typer.Argument(help="label of the trial, e.g. t0003, or SWEEP/t0003")],
    name: Annotated[str | None, typer.Option(help="of the sweep; default: the newest")] = None,
    task: Annotated[str | None, typer.Option(help="the newest sweep of this task")] = None,
) -> None:
    """Run one trial again and compare every score to the last digit; exit code 1 where one differs."""
    from raykd.search.repro import repeat

    console = terminal()
    sweep, slash, label = trial.rpartition("/")
    found = repeat(label, sweep if slash else name, task, console)
    for number, then in sorted(found.then.items()):
        now = found.now.get(number, {})
        off = [f"{key} {value!r} then, {now.get(key)!r} now" for key, value in then.items() if now.get(key) != value]
        if off:
            console.print(f"evaluation {number}: {'; '.join(off)}", markup=False)
    last = max(found.then)
    score = found.then[last]["score"]
    verdict = "the same to the last digit" if found.same else "not the same"
    console.print(f"{found.label}: {found.metric} {score!r} then, {found.now[last]['score']!r} now: {verdict}")
    if not found.same:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command()(repro)
