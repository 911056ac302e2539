"""A search space as data: dimensions in order, some only there when earlier ones have certain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from raykd.errors import UserError

Kind = Literal["fixed", "choice", "int", "float", "log"]


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter. values: the one of "fixed", all of "choice", (low, high), both included, of the others.

    when: the dimension is there only if each named earlier dimension is there with one of the listed values.
    """

    name: str
    kind: Kind
    values: tuple[Any, ...]
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def endless(self) -> bool:
        """Whether it has more values than a grid can hold."""
        return self.kind in ("float", "log")

    def candidates(self) -> Sequence[Any]:
        """Every value in order; only the two ends of an endless dimension."""
        return range(self.values[0], self.values[1] + 1) if self.kind == "int" else self.values

    def distribution(self) -> BaseDistribution:
        """What Optuna samples from."""
        if self.kind in ("fixed", "choice"):
            return CategoricalDistribution(self.values)
        low, high = self.values
        if self.kind == "int":
            return IntDistribution(low, high)
        return FloatDistribution(low, high, log=self.kind == "log")

    def active(self, point: Mapping[str, Any]) -> bool:
        """Whether it is there, given the values of the dimensions before it."""
        return all(name in point and point[name] in allowed for name, allowed in self.when.items())

    def own(self, value: Any) -> Any:
        """This dimension's spelling of `value` (3 becomes 3.0 in a float range).

        Raises ValueError, with what is allowed, if it is none of the dimension's values.
        """
        if self.kind in ("fixed", "choice"):
            # True == 1 in Python, but a user who writes one does not mean the other.
            same = [own for own in self.values if own == value and isinstance(own, bool) == isinstance(value, bool)]
            if same:
                return same[0]
            raise ValueError(f"allowed: {', '.join(map(repr, self.values))}")
        low, high = self.values
        kinds = int if self.kind == "int" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise ValueError(f"allowed: {'whole numbers ' if self.kind == 'int' else ''}{low} to {high}")
        return value if self.kind == "int" else float(value)


@dataclass(frozen=True)
class Space:
    """Dimensions in the order of the file, "method" first, and points to try before any others.

    start: values of searched dimensions only; what is missing is sampled.
    """

    name: str
    about: str
    source: str
    dimensions: tuple[Dimension, ...]
    start: tuple[Mapping[str, Any], ...] = ()

    def walk(self, pick: Callable[[str, BaseDistribution], Any]) -> dict[str, Any]:
        """A whole point, asking `pick` for each searched dimension that is there; fixed ones never reach it.

        With ``lambda name, _: trial.params[name]`` it makes the point of an Optuna trial.
        """
        point: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.active(point):
                fixed = dimension.kind == "fixed"
                point[dimension.name] = dimension.values[0] if fixed else pick(dimension.name, dimension.distribution())
        return point

    def searched(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a point that Optuna knows: what is not fixed."""
        return {d.name: point[d.name] for d in self.dimensions if d.kind != "fixed" and d.name in point}

    def size(self) -> int | None:
        """The exact number of distinct points, conditions honoured; None if a float or log dimension makes it endless.

        Counts without visiting the points: only values that a condition asks about tell two half-made points apart.
        """
        if any(dimension.endless for dimension in self.dimensions):
            return None
        counts: dict[frozenset[tuple[str, Any]], int] = {frozenset(): 1}
        for number, dimension in enumerate(self.dimensions):
            asked = {name for later in self.dimensions[number + 1 :] for name in later.when}
            grown: dict[frozenset[tuple[str, Any]], int] = {}
            for known, count in counts.items():
                if not dimension.active(dict(known)):
                    branches = [(known, count)]
                elif dimension.name in asked:
                    branches = [(known | {(dimension.name, value)}, count) for value in dimension.candidates()]
                else:
                    branches = [(known, count * len(dimension.candidates()))]
                for found, times in branches:
                    key = frozenset(item for item in found if item[0] in asked)
                    grown[key] = grown.get(key, 0) + times
            counts = grown
        return sum(counts.values())

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every point once; the last dimension changes fastest. Raises UserError if there is no end to them."""
        endless = [dimension.name for dimension in self.dimensions if dimension.endless]
        if endless:
            raise UserError(
                f"search space '{self.name}' has no grid: {', '.join(endless)} may take any number in a range; "
                "list values with {choice: [...]}, or sample with tpe or random"
            )
        return self._points(0, {})

    def _points(self, index: int, point: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(self.dimensions):
            yield point
        elif not self.dimensions[index].active(point):
            yield from self._points(index + 1, point)
        else:
            for value in self.dimensions[index].candidates():
                yield from self._points(index + 1, {**point, self.dimensions[index].name: value})
