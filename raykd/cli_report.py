"""The command that shows a sweep: one page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raykd.terminal import terminal


def report(
    sweep: Annotated[str | None, typer.Argument(help="name of the sweep; default: the newest")] = None,
    task: Annotated[str | None, typer.Option(help="the newest sweep of this task")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; default: report.html in the sweep's folder")] = None,
) -> None:
    """Write a sweep's report, one HTML file that needs no network; the sweep may still be running."""
    from raykd.outputs import check_file
    from raykd.report.page import REPORT, write_report
    from raykd.search.card import cards
    from raykd.search.read_story import find, read_story
    from raykd.search.result_files import send_page
    from raykd.workspace import here

    workspace = here()
    target = None if out is None else check_file(out, {}, workspace)
    found = find(workspace, sweep, task)
    story = read_story(found, workspace)
    card = cards(found.read()[0].reached(workspace.reach), story.contenders)
    written = write_report(story, target or found.folder / REPORT, card)
    place = send_page(written, found.place) if out is None and found.remote else str(written)
    terminal().print(f"report: {place}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command of this file to `app`."""
    app.command()(report)
