"""Errors a user can act on: what was given, what is allowed, the nearest valid name, all problems at once."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

T = TypeVar("T")


class UserError(Exception):
    """Bad input. The command line prints each problem on a line of its own and exits with code 2."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NoRoom(OSError):
    """A disk is full. kept: what stands of the work, for a person."""

    def __init__(self, place: str | os.PathLike[str], kept: str = "") -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))
        self.kept = kept


def together(parts: Iterable[Callable[[], T]]) -> list[T]:
    """Runs every part, so that a user hears of the problems of all of them at once. Raises UserError."""
    results: list[T] = []
    problems: list[str] = []
    for part in parts:
        try:
            results.append(part())
        except UserError as error:
            problems.extend(error.problems)
    if problems:
        raise UserError(*problems)
    return results


def unknown(kind: str, given: str, allowed: Iterable[str]) -> str:
    """A sentence for a name that does not exist, e.g. ``unknown method 'kdd': did you mean 'kd'? (none, kd, ckd)``."""
    names = list(allowed)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    # Two letters the wrong way round are likelier than other letters: 'cdk' is 'ckd' rather than 'crd'.
    near.sort(key=lambda name: sorted(name) != sorted(given))
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown {kind} '{given}': {hint}(allowed: {', '.join(names)})"


def from_pydantic(what: str, error: ValidationError, allowed: Iterable[str]) -> UserError:
    """A pydantic error in words: every bad value with what is allowed, every unknown key with the nearest name."""
    problems = []
    for detail in error.errors():
        name = ".".join(str(part) for part in detail["loc"]) or what
        if detail["type"] == "extra_forbidden":
            problems.append(unknown(f"{what} setting", name, allowed))
        else:
            problems.append(f"{what}: {name} = {detail['input']!r}: {detail['msg'].lower()}")
    return UserError(*problems)
