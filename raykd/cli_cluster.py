"""The commands beside training: sending a line to a cluster, serving MLflow's pages, what is stored of teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from raykd.errors import UserError
from raykd.terminal import terminal

Words = Annotated[list[str] | None, typer.Argument(help="after --: the command to send, e.g. tune --task rte")]


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    tracking_uri: Annotated[str | None, typer.Option(help="default: the SQLite file here")] = None,
    host: Annotated[str, typer.Option(help="address to serve on; any other than this machine's own wants passwords")]
    = "127.0.0.1",
) -> None:  # fmt: skip
    """Open MLflow on what was logged."""
    from raykd.tracking.ui import serve

    raise typer.Exit(serve(port, tracking_uri, host))


def submit(
    context: typer.Context,
    words: Words = None,
    address: Annotated[str | None, typer.Option(help="the head's dashboard, e.g. http://HEAD:8265")] = None,
    name: Annotated[str | None, typer.Option(help="of the sweep and its job; default: made from the line")] = None,
    working_dir: Annotated[Path | None, typer.Option(help="folder that goes along, with the line's own files")] = None,
    fetch: Annotated[Path | None, typer.Option(help="new folder for the champion, when the job has succeeded")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="follow the log until the job ends")] = True,
    env: Annotated[list[str] | None, typer.Option(help="environment variable to send along; repeat")] = None,
    follow: Annotated[str | None, typer.Option(help="follow this job instead of sending one")] = None,
    stop: Annotated[str | None, typer.Option(help="stop this job instead of sending one")] = None,
) -> None:
    """Send a command line to a Ray cluster as a job and follow it: raykd submit -- tune --task rte."""
    from raykd.submit import run

    if sum(1 for part in (words, follow, stop) if part) != 1:
        raise UserError("submit wants one of: a command line after --, --follow JOB, --stop JOB")
    if follow or stop:
        others = {"--name": name, "--working-dir": working_dir, "--env": env, "--no-wait": not wait or None}
        idle = [flag for flag, value in (others | ({"--fetch": fetch} if stop else {})).items() if value is not None]
        if idle:
            raise UserError(f"{', '.join(idle)}: only with a command line to send")
    if follow:
        raise typer.Exit(run.follow_job(follow, address=address, fetch=fetch))
    if stop:
        raise typer.Exit(run.stop_job(stop, address=address))
    group: Any = context.find_root().command
    code = run.submit(
        words or [], group.commands, address=address, name=name, working_dir=working_dir, fetch=fetch, wait=wait,
        env=env,
    )  # fmt: skip
    raise typer.Exit(code)


def cache_ls() -> None:
    """List what is stored of teachers."""
    from raykd import cache

    cache.show(terminal())


def cache_verify() -> None:
    """Read all that is stored; damaged shards are removed, to be built again. Exit code 1 if there were any."""
    from raykd import cache

    raise typer.Exit(int(cache.verify(terminal()) > 0))


def cache_rm(
    names: Annotated[list[str] | None, typer.Argument(help="parts, as raykd cache ls names them")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
) -> None:
    """Remove what is stored of teachers."""
    from raykd import cache

    cache.clear(names or [], everything, terminal())


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `app`."""
    cache = typer.Typer(no_args_is_help=True, help="What is stored of teachers: ls, verify, rm.")
    for name, command in (("ls", cache_ls), ("verify", cache_verify), ("rm", cache_rm)):
        cache.command(name)(command)
    app.add_typer(cache, name="cache")
    app.command()(ui)
    # What follows the first word belongs to the line that is sent, with or without the --.
    app.command(context_settings={"allow_interspersed_args": False})(submit)
