"""From the mapping in a YAML file to a Space, with every problem of structure on the way, not only the first."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from raykd.errors import unknown
from raykd.search.space_types import Dimension, Space
from raykd.search.space_values import KINDS, values

HEADINGS = ("about", "source", "method", "start", "parameters")


def parse(name: str, raw: Any) -> tuple[Space, list[str]]:
    """The space made of all sound dimensions of `raw`, and what is wrong with the rest; usable if the list is empty."""
    if not isinstance(raw, Mapping):
        return Space(name, "", "", ()), [f"must be a mapping with method and parameters, not {short(raw)}"]
    problems = [unknown("heading", str(key), HEADINGS) for key in raw if key not in HEADINGS]
    for key in ("about", "source"):
        if not _is_text(raw.get(key, "")):
            problems.append(f"{key}: {short(raw[key])} is not text")
    made = _dimensions(raw, problems)
    start = _start(raw.get("start", []), made, problems)
    dimensions = tuple(dimension for dimension in made.values() if dimension is not None)
    return Space(name, str(raw.get("about", "")), str(raw.get("source", "")), dimensions, start), problems


def _is_text(value: Any) -> bool:
    """Also that it can be written to a file: YAML lets one write "\\ud800", half of a character."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _dimensions(raw: Mapping[Any, Any], problems: list[str]) -> dict[str, Dimension | None]:
    """Dimensions by name in order; None marks one that is declared but unsound, so that it causes no second problem."""
    made: dict[str, Dimension | None] = {"method": _method(raw, problems)}
    parameters = raw.get("parameters")
    if not isinstance(parameters, Mapping):
        given = f"not {short(parameters)}" if "parameters" in raw else "and it is missing"
        problems.append(f"parameters: must be a mapping from names to values, {given}")
        return made
    for name, spec in parameters.items():
        if not isinstance(name, str) or name in ("", "method"):
            problems.append(f"parameters: {short(name)} cannot be the name of one (the method stands at the top)")
            continue
        here: list[str] = []
        dimension = _dimension(name, spec, here)
        when = _when(spec, made, list(map(str, parameters)), here)
        made[name] = None if dimension is None or here else Dimension(name, dimension.kind, dimension.values, when)
        problems += [f"parameters.{name}: {problem}" for problem in here]
    return made


def _method(raw: Mapping[Any, Any], problems: list[str]) -> Dimension | None:
    spec = raw.get("method")
    here: list[str] = []
    made = _dimension("method", {"fixed": spec} if isinstance(spec, str) else spec, here) if "method" in raw else None
    names = made is not None and made.kind in ("fixed", "choice") and all(isinstance(v, str) for v in made.values)
    if not here and (not names or (isinstance(spec, Mapping) and "when" in spec)):
        given = f"not {short(spec)}" if "method" in raw else "and it is missing"
        here = [f"must be a name or {{choice: [names]}}, {given}"]
    problems += [f"method: {problem}" for problem in here]
    return None if here else made


def _dimension(name: str, spec: Any, problems: list[str]) -> Dimension | None:
    if not isinstance(spec, Mapping):
        problems.append(f"{short(spec)} does not say how to search; write {{fixed: value}} or {{choice: [values]}}")
        return None
    strange = [key for key in spec if key not in (*KINDS, "when")]
    problems += [unknown("word", str(key), (*KINDS, "when")) for key in strange]
    kinds = [kind for kind in KINDS if kind in spec]
    if len(kinds) > 1 or (not kinds and not strange):
        problems.append(f"needs exactly one of {', '.join(KINDS)}, has {', '.join(kinds) or 'none'}")
    if len(kinds) != 1:
        return None
    found, wrong = values(kinds[0], spec[kinds[0]])
    problems += wrong
    return None if wrong else Dimension(name, kinds[0], found)


def _when(
    spec: Any, made: Mapping[str, Dimension | None], names: list[str], problems: list[str]
) -> dict[str, tuple[Any, ...]]:
    """The condition of one dimension; `made` holds the dimensions before it, `names` those of the whole file."""
    if not isinstance(spec, Mapping) or "when" not in spec:
        return {}
    if not isinstance(spec["when"], Mapping) or not spec["when"]:
        problems.append(f"when: needs a mapping such as {{method: [ckd]}}, not {short(spec['when'])}")
        return {}
    when: dict[str, tuple[Any, ...]] = {}
    for name, allowed in spec["when"].items():
        other = made.get(name)
        if name not in made:
            later = f"'{name}' does not come before it in the file; move it up"
            problems.append(f"when: {later if name in names else unknown('parameter', str(name), made)}")
        elif not isinstance(allowed, list) or not allowed:
            problems.append(f"when.{name}: needs a list of values, not {short(allowed)}")
        elif other is not None and other.kind not in ("fixed", "choice"):
            problems.append(f"when.{name}: '{name}' is a range; only fixed and choice may be asked about")
        elif other is not None:
            when[name] = tuple(_owned(other, value, f"when.{name}", problems) for value in allowed)
    return when


def _owned(dimension: Dimension, value: Any, where: str, problems: list[str]) -> Any:
    try:
        return dimension.own(value)
    except ValueError as error:
        problems.append(f"{where}: {short(value)} is not in the space ({error})")
        return None


def _start(raw: Any, made: Mapping[str, Dimension | None], problems: list[str]) -> tuple[dict[str, Any], ...]:
    """Points of searched dimensions only, in the dimensions' own spelling."""
    if not isinstance(raw, list) or not all(isinstance(point, Mapping) and point for point in raw):
        problems.append(f"start: needs a list of points such as {{alpha: 0.9}}, not {short(raw)}")
        return ()
    points: list[dict[str, Any]] = []
    for number, given in enumerate(raw, start=1):
        here: list[str] = [unknown("parameter", str(name), made) for name in given if name not in made]
        known = {name: dimension for name, dimension in made.items() if dimension is not None and name in given}
        owned = {name: _owned(dimension, given[name], name, here) for name, dimension in known.items()}
        for name, dimension in () if here else known.items():
            # Otherwise the sampler could take a branch in which the value has no place, and the point never comes.
            facts = {n: d.values[0] for n, d in made.items() if d is not None and d.kind == "fixed"} | owned
            here += [
                f"{name} is there only when {other} is {' or '.join(map(repr, allowed))}; say so in the point"
                for other, allowed in dimension.when.items()
                if other in made and made[other] is not None and facts.get(other) not in allowed
            ]
        point = {name: value for name, value in owned.items() if known[name].kind != "fixed"}
        if not here and (not point or point in points):
            here.append("the same point stands there twice" if point else "sets nothing that is searched")
        problems += [f"start, point {number}: {problem}" for problem in here]
        points.append(point)
    return tuple(points)
