"""The five ways of saying which values a parameter may take: fixed, choice, int, float, log."""

from __future__ import annotations

import math
from reprlib import repr as short
from typing import Any

from raykd.search.space_types import Kind

KINDS: tuple[Kind, ...] = ("fixed", "choice", "int", "float", "log")
# Beyond this neighbouring whole numbers are no longer distinct as doubles, which is how Optuna stores them.
LARGEST = 1e15


def values(kind: Kind, given: Any) -> tuple[tuple[Any, ...], list[str]]:
    """What Dimension.values should hold for ``{kind: given}``, and what is wrong with it; usable if nothing is."""
    if kind == "fixed":
        return (given,), _not_plain([given])
    if kind == "choice":
        problems = _choice(given)
        return () if problems else tuple(given), problems
    problems = _range(kind, given)
    return () if problems else tuple(given if kind == "int" else map(float, given)), problems


def _not_plain(given: list[Any]) -> list[str]:
    """Optuna stores texts, numbers, true, false and null; NaN and infinity are mistakes."""
    return [
        f"{short(value)} is not a plain value (a text, a finite number, true, false or null)"
        for value in given
        if not (value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)))
    ]


def _choice(given: Any) -> list[str]:
    if not isinstance(given, list) or not given:
        return [f"choice: needs a list of at least one value, not {short(given)}"]
    problems = _not_plain(given)
    # 1, 1.0 and true are one value to Python, to Optuna and to the test for points already seen.
    twice = [] if problems else [short(value) for i, value in enumerate(given) if value in given[:i]]
    return problems + ([f"choice: {', '.join(twice)} stands there twice"] if twice else [])


def _range(kind: Kind, given: Any) -> list[str]:
    if not isinstance(given, list) or len(given) != 2:
        return [f"{kind}: needs [low, high], not {short(given)}"]
    what = "whole numbers" if kind == "int" else "numbers"
    wrong = [end for end in given if not _is_end(kind, end)]
    if wrong:
        return [f"{kind}: {short(end)} is no end of a range; {what} up to {LARGEST:g} are" for end in wrong]
    low, high = given
    problems = []
    if low >= high:
        hint = f"for one value write {{fixed: {low}}}" if low == high else f"write [{high}, {low}]"
        problems.append(f"{kind}: the low end {low} is not under the high end {high}; {hint}")
    if kind == "log" and low <= 0:
        problems.append(f"log: the low end must be over 0, not {low}")
    return problems


def _is_end(kind: Kind, end: Any) -> bool:
    if isinstance(end, bool) or not isinstance(end, int if kind == "int" else (int, float)):
        return False
    return abs(end) <= LARGEST
