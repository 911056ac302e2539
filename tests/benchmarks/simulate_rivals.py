"""What people do at present, in a simulated world: they select on dev, and report the dev score they selected by."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from tests.benchmarks.simulate_runs import SEARCH, Job, Run, ends, side_by_side
from tests.benchmarks.simulate_surfaces import EVALUATIONS, World


@dataclass(frozen=True)
class Outcome:
    """The configuration chosen, the score reported, epochs of training in all. found: whether it is said to be better
    than the baselines beyond luck (None: nothing is said)."""

    number: int
    reported: float
    epochs: float
    found: bool | None = None


def grid(world: World, draws: np.random.Generator) -> Outcome:
    """Every point once, and the best."""
    numbers = np.arange(world.none)
    found = ends(world, "dev", numbers, draws, SEARCH)
    best = int(found.argmax())
    return Outcome(best, float(found[best]), float(world.epochs[numbers].sum()))


def chance(world: World, draws: np.random.Generator, budget: float) -> Outcome:
    """Points in random order, none twice, each run once to its end, as many as `budget` epochs hold; and the best. The
    exhaustive grid in random order, cut off, is the same."""
    numbers = draws.permutation(world.none)
    numbers = numbers[np.cumsum(world.epochs[numbers]) <= budget]
    found = ends(world, "dev", numbers, draws, SEARCH)
    best = int(found.argmax())
    return Outcome(int(numbers[best]), float(found[best]), float(world.epochs[numbers].sum()))


NOBODY: Any = None  # the controller, which the scheduler never looks at


def ray(world: World, draws: np.random.Generator, budget: float, *, grace: int = 1, reduction: float = 4) -> Outcome:
    """Ray's OptunaSearch (TPE) under its ASHAScheduler, the objects themselves, told in Ray's order; and the trial with
    the best last score, as `ResultGrid.get_best_result` has it. Trials start while there is budget for a whole one.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
    space: dict[str, Any] = {
        d.name: optuna.distributions.CategoricalDistribution(d.values)
        for d in world.space.dimensions
        if d.kind == "choice"
    }
    fixed = {d.name: d.values[0] for d in world.space.dimensions if d.kind == "fixed"}
    search = OptunaSearch(space, metric="score", mode="max", seed=int(draws.integers(2**31)))
    asha = ASHAScheduler(metric="score", mode="max", max_t=EVALUATIONS, grace_period=grace, reduction_factor=reduction)
    names = (f"t{number}" for number in itertools.count())
    committed = 0.0
    last: dict[str, tuple[float, int]] = {}

    def start() -> Job | None:
        nonlocal committed
        if committed + world.epochs.max() > budget:
            return None
        label = next(names)
        point = search.suggest(label)
        assert point is not None  # it proposes without end, the same point again if need be
        asha.on_trial_add(NOBODY, _trial(label))
        run = Run(world, world.number({**fixed, **point}), draws)
        committed += run.epochs
        return Job(label, run)

    def told(job: Job, evaluation: int) -> bool:
        nonlocal committed
        score = float(job.run.scores("dev")[evaluation - 1])
        result = {"score": score, "training_iteration": evaluation}
        last[job.label] = (score, job.run.number)
        # Ray stops a trial at max_t, and tells the searcher of the last result alone that it is complete.
        over = asha.on_trial_result(NOBODY, _trial(job.label), result) == TrialScheduler.STOP
        if over:
            asha.on_trial_remove(NOBODY, _trial(job.label))
            search.on_trial_complete(job.label, result)
            committed -= job.run.epochs * (1 - evaluation / EVALUATIONS)
        else:
            search.on_trial_result(job.label, result)
        return over

    spent = side_by_side(start, told, draws)
    score, number = max(last.values(), key=lambda one: one[0])
    return Outcome(number, score, spent)


def _trial(label: str) -> Any:
    """All of a Trial that the scheduler looks at."""
    return SimpleNamespace(trial_id=label)
