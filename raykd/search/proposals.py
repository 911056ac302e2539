"""The next point to try, as a pure function of what the sweep holds: a crashed sweep resumes as if it had not.

A proposal is drawn in a throw-away Optuna study, seeded by (seed, number of trials before it), or is the first point
that no trial had of an order that the seed fixes. So nothing that a sampler keeps between two draws has a say, and
proposing changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from raykd.errors import UserError, unknown
from raykd.search.samplers import ENDLESS_REDRAWS, REDRAWS, SAMPLERS, Point, uniform
from raykd.search.scratch import Pick, quiet
from raykd.search.space_types import Space
from raykd.seeds import derive_seed

__all__ = ["SAMPLERS", "Proposer", "point_of"]


class Proposer:
    """Proposes points of `space` that no trial has had, whatever became of it. What it remembers of the trials before
    is told to it by `started`, so a proposal costs the same however many there were.

    Raises UserError for an unknown sampler, and for a space that it cannot search.
    """

    def __init__(self, space: Space, *, sampler: str, seed: int) -> None:
        if sampler not in SAMPLERS:
            raise UserError(unknown("sampler", sampler, SAMPLERS))
        self.space, self.sampler, self.seed = space, SAMPLERS[sampler], derive_seed(seed, "proposals")
        self._size = space.size()
        self._count = 0
        self._seen: set[frozenset[tuple[str, Any]]] = set()
        self._had = 0  # points of the space among them
        self._starts = list(space.start)
        self._order: Iterator[Point] = iter(())
        self._ahead: Point | None = None  # the next one of the order, drawn already
        if self.sampler.order is not None:
            self._order = self.sampler.order(space, self.seed)
        elif self.sampler.draws is not None:
            self.sampler.draws(space, (), self.seed)  # refuses a space that is not for it

    def started(self, point: Mapping[str, Any]) -> None:
        """A trial was started with `point`. One trial stands for one start point at most."""
        self._count += 1
        searched = self.space.searched(point)
        self._had += self._new(point) and _holds(self.space, searched)
        self._seen.add(_key(searched))
        stands = next((start for start in self._starts if start.items() <= searched.items()), None)
        if stands is not None:
            self._starts.remove(stands)

    def coverage(self) -> tuple[int, int] | None:
        """How many points of the space trials have had, and how many there are; None if there is no end to them."""
        return None if self._size is None else (self._had, self._size)

    def propose(self, learnt: Sequence[FrozenTrial]) -> Point | None:
        """The next point, start points first; None when there is none left. learnt: the trials that the sampler may
        learn from, finished ones in the order of their ends."""
        with quiet():
            for start in self._starts:
                point = self._draw(learnt, start)
                if point is not None:
                    return point
            return self._draw(learnt, {}) if self.sampler.draws is not None else self._next()

    def _next(self) -> Point | None:
        """The first point of the order that is new."""
        while self._ahead is None or not self._new(self._ahead):
            self._ahead = next(self._order, None)
            if self._ahead is None:
                return None
        return self._ahead

    def _new(self, point: Mapping[str, Any]) -> bool:
        return _key(self.space.searched(point)) not in self._seen

    def _draw(self, learnt: Sequence[FrozenTrial], given: Mapping[str, Any]) -> Point | None:
        """A new point with the values of `given`: from the sampler, else evenly among all that are left."""
        chance = random.Random(f"{self.seed}/{self._count}")
        by_chance = uniform(self.space, (), chance.getrandbits(32))
        streams = [(by_chance, REDRAWS if self._size is not None else ENDLESS_REDRAWS)]
        if self.sampler.draws not in (None, uniform):
            streams.insert(0, (self.sampler.draws(self.space, learnt, chance.getrandbits(32)), self.sampler.redraws))
        for stream, most in streams:
            for pick in islice(stream, most):
                point = self.space.walk(partial(_given_or, given, pick))
                if self._new(point):
                    return point
        if self._size is None:
            return None
        left = [point for point in self.space.grid() if given.items() <= point.items() and self._new(point)]
        return chance.choice(left) if left else None


def point_of(space: Space, point: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """What Optuna knows of `point`: values and distributions of the searched dimensions that are there."""
    distributions: dict[str, BaseDistribution] = {}

    def note(name: str, distribution: BaseDistribution) -> Any:
        distributions[name] = distribution
        return point[name]

    return space.searched(space.walk(note)), distributions


def _given_or(given: Mapping[str, Any], pick: Pick, name: str, distribution: BaseDistribution) -> Any:
    return given[name] if name in given else pick(name, distribution)


def _holds(space: Space, point: Mapping[str, Any]) -> bool:
    """Whether `point` is one of the space."""
    own = {dimension.name: dimension.own for dimension in space.dimensions}
    try:
        return space.searched(space.walk(lambda name, _: own[name](point[name]))) == point
    except (KeyError, ValueError):
        return False


def _key(params: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(params.items())
