"""The next point to try, as a pure function of what the Optuna study holds: a crashed sweep resumes as if it had not.

Nothing is kept between two proposals, and proposing writes nothing to the study. TPE with the constant liar writes
its draw to the trial in storage, so it draws in a throw-away copy of the study in memory.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

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


def propose(study: optuna.Study, space: Space, *, sampler: str, seed: int) -> Point | None:
    """A point that no trial of `study` has had, whatever became of it; None when there is none left.

    Start points come first. The draw is seeded by (seed, number of trials). Raises UserError for an unknown sampler,
    and for "grid" in a space without end.
    """
    if sampler not in SAMPLERS:
        raise UserError(unknown("sampler", sampler, SAMPLERS))
    trials = study.get_trials(deepcopy=False)
    seen = {_key(trial.params) for trial in trials}
    mixed = f"{seed}/{len(trials)}"
    if sampler == "grid":
        # Shuffled: ASHA compares a trial with those before it, so in ascending order of quality it stops none.
        points = list(space.grid())
        random.Random(seed).shuffle(points)
    for start in _untried(space, trials):
        point = _draw(study.directions, trials, space, "tpe" if sampler == "tpe" else "random", mixed, start, seen)
        if point is not None:
            return point
    if sampler == "grid":
        return next((point for point in points if _key(space.searched(point)) not in seen), None)
    return _draw(study.directions, trials, space, sampler, mixed, {}, seen)


def enqueue(study: optuna.Study, space: Space, point: Mapping[str, Any], attributes: Mapping[str, Any]) -> optuna.Trial:
    """A new RUNNING trial of `study` with this point and these user attributes (JSON values).

    One write to the storage: whenever the driver dies, a trial is there with all its parameters or not at all.
    """
    distributions: dict[str, BaseDistribution] = {}

    def note(name: str, distribution: BaseDistribution) -> Any:
        distributions[name] = distribution
        return point[name]

    params = space.searched(space.walk(note))
    running = TrialState.RUNNING
    study.add_trial(
        create_trial(state=running, params=params, distributions=distributions, user_attrs=dict(attributes))
    )
    added = [t.number for t in study.get_trials(deepcopy=False, states=(running,)) if t.params == params]
    return reopen(study, added[-1])


def reopen(study: optuna.Study, number: int) -> optuna.Trial:
    """The handle of a trial that is already in the study, to go on reporting to it after a restart."""
    frozen = study.get_trials(deepcopy=False)[number]
    return optuna.Trial(study, frozen._trial_id)  # Optuna has no public way back from a number to a live trial.


def _key(params: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(params.items())


def _untried(space: Space, trials: Sequence[FrozenTrial]) -> Iterator[Mapping[str, Any]]:
    """Start points for which no trial stands; one trial stands for one start point at most."""
    free = [trial.params for trial in trials]
    for start in space.start:
        stands = next((params for params in free if start.items() <= params.items()), None)
        if stands is None:
            yield start
        else:
            free.remove(stands)


def _draw(
    directions: list[StudyDirection],
    trials: Sequence[FrozenTrial],
    space: Space,
    sampler: str,
    seed: str,
    given: Mapping[str, Any],
    seen: set[frozenset[tuple[str, Any]]],
) -> Point | None:
    """A new point with the values of `given`: from the sampler, else evenly among all that are left."""
    chance = random.Random(seed)
    uniform = RandomSampler(seed=chance.getrandbits(32))
    samplers = (_tpe(chance.getrandbits(32)), uniform) if sampler == "tpe" else (uniform,)
    for one in samplers:
        scratch = _copy(directions, () if one is uniform else trials, one)
        for _ in range(REDRAWS):
            trial = scratch.ask()
            point = space.walk(_picker(trial, given))
            if _key(space.searched(point)) not in seen:
                return point
            scratch.tell(trial, state=TrialState.FAIL)
    if space.size() is None:
        return None
    fits = (point for point in space.grid() if given.items() <= point.items())
    left = [point for point in fits if _key(space.searched(point)) not in seen]
    return chance.choice(left) if left else None


def _tpe(seed: int) -> TPESampler:
    with warnings.catch_warnings():
        # "group" has been experimental since 2.8; conditional dimensions need it.
        warnings.filterwarnings("ignore", message=".*group.*", category=ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP, seed=seed)


def _copy(directions: list[StudyDirection], trials: Sequence[FrozenTrial], sampler: BaseSampler) -> optuna.Study:
    """A study in memory with what TPE learns from: scored, stopped (with their curves) and running trials.

    Attributes stay behind, so what an earlier sampler noted in the study has no say.
    """
    learnt = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    with _quiet():
        scratch = optuna.create_study(directions=directions, sampler=sampler)
    for trial in trials:
        if trial.state in learnt:
            scratch.add_trial(
                create_trial(
                    state=trial.state,
                    values=trial.values,
                    params=trial.params,
                    distributions=trial.distributions,
                    intermediate_values=trial.intermediate_values,
                )
            )
    return scratch


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
