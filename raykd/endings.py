"""How a command ends: its exit code, and the last line, which says why.

0: a student (or whatever the command is for) came out. 1: none did. 2: the input is bad. 128 and a signal's number: the
process was asked to end, as by Ctrl-C (130).
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from typer.core import TyperGroup

from raykd.errors import NoRoom, UserError
from raykd.interrupts import Interrupted
from raykd.resume_line import this_line

NOTHING, BAD_INPUT, BROKEN_PIPE = 1, 2, 141
SHOWN = 2_000  # characters of each end of a long message
TRAINING = ("tune", "teach", "distill", "pretrain")


class Commands(TyperGroup):
    """Commands that end as this file says, whatever typer makes of the exceptions that reach it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command of `ctx`."""
        try:
            return super().invoke(ctx)
        except (UserError, OSError, MemoryError, RuntimeError, KeyboardInterrupt) as error:
            end_by(error, ctx.invoked_subcommand)
            raise


def end_by(error: BaseException, command: str | None = None) -> None:
    """End the process with the words and the exit code for `error`; return where there are none, as for a fault of
    raykd's own, which is shown whole."""
    if isinstance(error, UserError):
        _end(BAD_INPUT, *(f"error: {clipped(problem)}" for problem in error.problems))
    if isinstance(error, BrokenPipeError):  # whoever read along has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail at flushing
        raise SystemExit(BROKEN_PIPE) from None
    if isinstance(error, KeyboardInterrupt):
        signal = error if isinstance(error, Interrupted) else Interrupted()
        _end(signal.code, _interrupted(signal, command))
    if isinstance(error, (OSError, MemoryError, RuntimeError)):
        _end_for_want(error)
    if isinstance(error, OSError) and error.strerror is not None:  # a name that is too long, a folder not to be read
        place = clipped(str(error.filename or "reading or writing"))
        _end(BAD_INPUT, f"error: {place}: {error.strerror}")


def clipped(text: str) -> str:
    """The text without its middle where it is longer than a person reads: what was given may be a whole file."""
    return text if len(text) <= 2 * SHOWN else f"{text[:SHOWN]} ... {text[-SHOWN:]}"


def _end_for_want(error: OSError | MemoryError | RuntimeError) -> None:
    """End for want of disk or memory, which the input is not to blame for."""
    from raykd.train.outcome import outcome_of

    why, said = outcome_of(error)
    if why == "disk":
        place = clipped(str(getattr(error, "filename", None) or "the disk"))
        kept = f": {error.kept}" if isinstance(error, NoRoom) and error.kept else ""
        again = f", then go on with: {this_line()}" if this_line() else ""
        _end(NOTHING, f"error: no room left on {place}{kept}; make room{again}")
    if why == "memory":
        _end(NOTHING, f"error: out of memory ({clipped(said)}): a smaller --batch-size or --max-length needs less")


def _interrupted(signal: Interrupted, command: str | None) -> str:
    kept = signal.kept or ("nothing was trained yet" if command in TRAINING else "")
    again = signal.again or (this_line() if command in TRAINING else "")
    said = ": ".join(part for part in ("interrupted", kept) if part)
    return f"{said}; go on with: {again}" if again else said


def _end(code: int, *lines: str) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise SystemExit(code) from None
