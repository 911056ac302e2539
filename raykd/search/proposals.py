"""The next point to try, as a pure function of what the sweep holds: a crashed sweep resumes as if it had not.

A proposal is drawn in a throw-away Optuna study, seeded by (seed, number of trials before it), so nothing that Optuna
keeps between two draws has a say, and proposing changes nothing.
"""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from raykd.errors import UserError, unknown
from raykd.search.space_types import Space

SAMPLERS = {
    "tpe": "tree-structured Parzen estimator: learns which values go together",
    "random": "independent uniform draws",
    "grid": "every point of a finite space once, shuffled",
}
# Finished trials (stopped ones count) before TPE trusts what it learnt.
STARTUP = 10
# A sampler that has converged repeats itself; after this many repeats the point is picked in another way.
REDRAWS = 20

Point = dict[str, Any]


class Proposer:
    """Proposes points of `space` that no trial has had, whatever became of it. What it remembers of the trials before
    is told to it by `started`, so a proposal costs the same however many there were.

    Raises UserError for an unknown sampler, and for "grid" in a space without end.
    """

    def __init__(self, space: Space, *, sampler: str, seed: int) -> None:
        if sampler not in SAMPLERS:
            raise UserError(unknown("sampler", sampler, SAMPLERS))
        self.space, self.sampler, self.seed = space, sampler, seed
        self._count = 0
        self._seen: set[frozenset[tuple[str, Any]]] = set()
        self._starts = list(space.start)
        self._grid: list[Point] = []  # the next one last
        if sampler == "grid":
            # Shuffled: ASHA compares a trial with those before it, so in ascending order of quality it stops none.
            self._grid = list(space.grid())
            random.Random(seed).shuffle(self._grid)
            self._grid.reverse()

    def started(self, point: Mapping[str, Any]) -> None:
        """A trial was started with `point`. One trial stands for one start point at most."""
        self._count += 1
        searched = self.space.searched(point)
        self._seen.add(_key(searched))
        stands = next((start for start in self._starts if start.items() <= searched.items()), None)
        if stands is not None:
            self._starts.remove(stands)

    def propose(self, learnt: Sequence[FrozenTrial]) -> Point | None:
        """The next point, start points first; None when there is none left. learnt: what TPE may learn from."""
        mixed = f"{self.seed}/{self._count}"
        sampler = "tpe" if self.sampler == "tpe" else "random"
        for start in self._starts:
            point = self._draw(learnt, sampler, mixed, start)
            if point is not None:
                return point
        if self.sampler == "grid":
            while self._grid and not self._new(self._grid[-1]):
                self._grid.pop()
            return self._grid[-1] if self._grid else None
        return self._draw(learnt, sampler, mixed, {})

    def _new(self, point: Point) -> bool:
        return _key(self.space.searched(point)) not in self._seen

    def _draw(self, learnt: Sequence[FrozenTrial], sampler: str, seed: str, given: Mapping[str, Any]) -> Point | None:
        """A new point with the values of `given`: from the sampler, else evenly among all that are left."""
        chance = random.Random(seed)
        uniform = RandomSampler(seed=chance.getrandbits(32))
        samplers = (_tpe(chance.getrandbits(32)), uniform) if sampler == "tpe" else (uniform,)
        for one in samplers:
            scratch = _study(() if one is uniform else learnt, one)
            for _ in range(REDRAWS):
                trial = scratch.ask()
                point = self.space.walk(_picker(trial, given))
                if self._new(point):
                    return point
                scratch.tell(trial, state=TrialState.FAIL)
        if self.space.size() is None:
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


def _key(params: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(params.items())


def _tpe(seed: int) -> TPESampler:
    with warnings.catch_warnings():
        # "group" has been experimental since 2.8; conditional dimensions need it.
        warnings.filterwarnings("ignore", message=".*group.*", category=ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP, seed=seed)


class _Known(InMemoryStorage):
    """A store that shows `trials` before its own, as they are: Optuna's copies each of them, which takes longer than
    all else about a proposal. They are numbered from below zero, in their order, since its own begin there."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._known = [copy.copy(trial) for trial in trials]
        for number, trial in enumerate(self._known, start=-len(trials)):
            trial.number = number

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The known trials and the store's own in any of `states`."""
        known = [trial for trial in self._known if states is None or trial.state in states]
        return known + super().get_all_trials(study_id, deepcopy, states)


def _study(trials: Sequence[FrozenTrial], sampler: BaseSampler) -> optuna.Study:
    """A study in memory that holds `trials`."""
    with _quiet():
        return optuna.create_study(direction="maximize", sampler=sampler, storage=_Known(trials))


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna announces every new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _picker(trial: optuna.Trial, given: Mapping[str, Any]) -> Callable[[str, BaseDistribution], Any]:
    """The given value where there is one, else the sampler's for this trial."""

    def pick(name: str, distribution: BaseDistribution) -> Any:
        if name in given:
            return given[name]
        if isinstance(distribution, CategoricalDistribution):
            return trial.suggest_categorical(name, distribution.choices)
        if isinstance(distribution, IntDistribution):
            return trial.suggest_int(name, distribution.low, distribution.high)
        if isinstance(distribution, FloatDistribution):
            return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
        raise TypeError(f"no way to suggest {distribution}")

    return pick
