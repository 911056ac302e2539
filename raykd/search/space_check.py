"""Does a space fit the methods it names? Every value it may propose is put to the method's own parameter model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from raykd.errors import UserError, unknown
from raykd.search.space_types import Dimension, Space

Fields = Mapping[str, Mapping[str, FieldInfo]]


def check(space: Space, fields: Fields) -> None:
    """Raises one UserError with all problems of `space`; `fields`: the parameters each method accepts, by method."""
    if problems := misfits(space, fields):
        raise UserError(*(f"search space '{space.name}': {problem}" for problem in problems))


def misfits(space: Space, fields: Fields) -> list[str]:
    """What no named method accepts: unknown methods, unknown parameters, values and range ends out of bounds."""
    methods = next((d.values for d in space.dimensions if d.name == "method"), ())
    problems = [f"method: {unknown('method', method, fields)}" for method in methods if method not in fields]
    reach = _reach(space, methods)
    for dimension in space.dimensions:
        used_by = [method for method in reach[dimension.name] if method in fields]
        if dimension.name == "method" or not used_by:
            continue
        accepting = [method for method in used_by if dimension.name in fields[method]]
        if not accepting:
            names = sorted({name for method in used_by for name in fields[method]})
            problems.append(f"parameters: {unknown('parameter', dimension.name, names)}")
        elif len(accepting) < len(used_by):
            refusing = ", ".join(method for method in used_by if method not in accepting)
            hint = f"add when: {{method: [{', '.join(accepting)}]}}"
            problems.append(f"parameters.{dimension.name}: {refusing} does not have it; {hint}")
        refused = [text for method in accepting for text in _refused(dimension, fields[method][dimension.name])]
        problems += [f"parameters.{dimension.name}: {text}" for text in dict.fromkeys(refused)]
    return problems


def _reach(space: Space, methods: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    """The methods under which each dimension can be there, also through conditions on conditioned dimensions."""
    reach: dict[str, tuple[Any, ...]] = {}
    for dimension in space.dimensions:
        limits = [values if name == "method" else reach.get(name, methods) for name, values in dimension.when.items()]
        reach[dimension.name] = tuple(method for method in methods if all(method in limit for limit in limits))
    return reach


def _refused(dimension: Dimension, field: FieldInfo) -> list[str]:
    """A text for each value (each end of a range) that `field` does not accept; no conversions ("3" is no number)."""
    annotation: Any = field.annotation
    model = create_model("Candidate", value=(annotation, field))
    texts = []
    for value in dimension.values:
        try:
            model.model_validate({"value": value}, strict=True)
        except ValidationError as error:
            reasons = "; ".join(detail["msg"].removeprefix("Input ") for detail in error.errors())
            texts.append(f"{value!r} is not accepted: {reasons}")
    return texts
