"""What of a search space can serve this teacher, student and task; the rest is left out, and said so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.plan import check_pair
from raykd.search.space import Dimension, Space

Point = Mapping[str, Any]


def suitable(space: Space, pair: Pair, origin: Path) -> tuple[Space, list[str]]:
    """`space` without methods and listed values that cannot serve the pair, and a line for each that was left out.

    Each method is asked with the first value of everything, then with every other value in turn. UserError where no
    method is left, or no value of one, with every reason.
    """
    methods = next(dimension for dimension in space.dimensions if dimension.name == "method").candidates()
    refused = {name: problems for name in methods if (problems := _problems(_first(space, name), pair, origin))}
    if len(refused) == len(methods):
        raise UserError(*dict.fromkeys(problem for problems in refused.values() for problem in problems))
    notes = [problem for problems in refused.values() for problem in problems]
    bad: dict[str, dict[Any, list[str]]] = {}
    for name in methods:
        if name in refused:
            continue
        for key, value, point in _others(space, name):
            if problems := _problems(point, pair, origin):
                bad.setdefault(key, {})[value] = problems
    dimensions = []
    for dimension in space.dimensions:
        out: dict[Any, list[str]] = bad.get(dimension.name, {})
        if dimension.name == "method":
            out = refused
        kept = tuple(value for value in dimension.values if value not in out)
        if dimension.name != "method":
            said = [f"{dimension.name} {value}: {'; '.join(problems)}" for value, problems in out.items()]
            notes += said
            if not kept:
                raise UserError(*said)
        dimensions.append(replace(dimension, values=kept) if out else dimension)
    start = tuple(point for point in space.start if not _names(point, refused, bad))
    return replace(space, dimensions=tuple(dimensions), start=start), [f"left out: {note}" for note in notes]


def _names(point: Point, refused: dict[str, list[str]], bad: dict[str, dict[Any, list[str]]]) -> bool:
    return point.get("method") in refused or any(value in bad.get(name, {}) for name, value in point.items())


def _first(space: Space, method: str) -> Point:
    """The point of `method` with the first value of everything."""
    return _with(space, {"method": method})


def _with(space: Space, chosen: Point) -> Point:
    point: dict[str, Any] = {}
    for dimension in space.dimensions:
        if dimension.active(point):
            point[dimension.name] = chosen.get(dimension.name, dimension.candidates()[0])
    return point


def _others(space: Space, method: str) -> Iterator[tuple[str, Any, Point]]:
    """(dimension, value, point) for every listed value but the first of the dimensions that `method` has."""
    first = _first(space, method)
    for dimension in space.dimensions:
        if dimension.name in first and dimension.name != "method" and _listed(dimension):
            for value in dimension.candidates()[1:]:
                yield dimension.name, value, _with(space, {"method": method, dimension.name: value})


def _listed(dimension: Dimension) -> bool:
    return dimension.kind in ("fixed", "choice")


def _problems(point: Point, pair: Pair, origin: Path) -> list[str]:
    method = METHODS[point["method"]]
    own = {name: value for name, value in point.items() if name in method.parameters.model_fields}
    try:
        check_pair(method, own, pair, origin)
    except UserError as error:
        return list(error.problems)
    return []
