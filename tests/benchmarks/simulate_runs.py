"""Runs of a simulated world: what a training run answers at each evaluation, and four of them side by side."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tests.benchmarks.simulate_surfaces import DRIFT, EVALUATIONS, TASTES, World
from tests.benchmarks.simulate_tasks import metric_of

AT_ONCE = 4
SEARCH = 0  # the seed of all trials of a search
PROGRESS = np.arange(1, EVALUATIONS + 1) / EVALUATIONS
NOTHING = 0.25  # of its ability: a model with less may still give the larger class to all examples


class Run:
    """Configuration `number` trained once. stage: the part of the run before which its classifier is not trained.

    seed: whose luck it has. right and scores have a row for each evaluation, computed when they are asked for.
    """

    def __init__(
        self, world: World, number: int, draws: np.random.Generator, stage: float = 0.0, *, seed: int = SEARCH
    ) -> None:
        self.world, self.number, self.seed = world, number, seed
        self.epochs = float(world.epochs[number])
        through = np.clip((PROGRESS - stage) / (1 - stage), 0, None)
        learnt = world.learnt(number, through)
        shift = world.noise.shift * luck(world, seed, "shift") @ world.tastes[number]
        self._ability = (world.theta[number] * learnt + shift).astype(np.float32)
        self._blind = world.dead[number] | (learnt < NOTHING * draws.uniform(size=EVALUATIONS) * 2)

    def right(self, split: str) -> np.ndarray:
        """[evaluations, N] whether each answer is right."""
        return self._select if split == "select" else self._dev

    @cached_property
    def _select(self) -> np.ndarray:
        return self._answered("select")

    @cached_property
    def _dev(self) -> np.ndarray:
        return self._answered("dev")

    def _answered(self, split: str) -> np.ndarray:
        world = self.world
        flips = world.tastes[self.number] @ luck(world, self.seed, split)
        known = world.ease[split] + world.tastes[self.number] @ world.appeal[split]
        right = known + self._ability[:, None] + np.float32(world.noise.chance) * flips > 0
        right[self._blind] = world.labels[split].astype(bool)
        return np.asarray(right)

    def answers(self, split: str) -> np.ndarray:
        """[N] the classes answered at the end."""
        return self.answers_at(split, EVALUATIONS)

    def answers_at(self, split: str, evaluation: int) -> np.ndarray:
        """[N] the classes answered at an evaluation, from 1."""
        labels = self.world.labels[split]
        return np.asarray(np.where(self.right(split)[evaluation - 1], labels, 1 - labels))

    def scores(self, split: str) -> np.ndarray:
        """[evaluations]"""
        return scores(self.world, split, self.right(split))


def _drifting(draws: np.ndarray) -> np.ndarray:
    """Independent normal draws, made to go together along the first axis."""
    for row in range(1, len(draws)):
        draws[row] = DRIFT * draws[row - 1] + (1 - DRIFT**2) ** 0.5 * draws[row]
    return draws


@lru_cache(maxsize=64)
def luck(world: World, seed: int, what: str) -> np.ndarray:
    """[evaluations, TASTES, N] what `seed` makes easy and hard to each taste, of the N examples
    of a split, or [evaluations, TASTES] for the whole run (`shift`). Of variance 1 for each configuration."""
    rows = () if what == "shift" else (len(world.ease[what]),)
    draws = np.random.default_rng([world.seed, seed, ["shift", "select", "dev"].index(what)])
    return _drifting(draws.standard_normal((EVALUATIONS, TASTES, *rows), dtype=np.float32))


def scores(world: World, split: str, right: np.ndarray) -> np.ndarray:
    """The task's metric of each row of right [..., N]."""
    first = int(world.labels[split].sum())
    count = right.shape[-1]
    larger, smaller = right[..., :first].mean(axis=-1), right[..., first:].mean(axis=-1)
    return metric_of(world.task.metric, larger, smaller, first / count)


def ends(
    world: World, split: str, numbers: np.ndarray, draws: np.random.Generator, seed: int | None = None
) -> np.ndarray:
    """The final score of a run of each configuration in `numbers`; a configuration may be there many times. All with
    the luck of `seed`, or each with a seed of its own."""
    found = []
    for part in np.array_split(numbers, max(1, len(numbers) // 128)):
        if seed is None:
            flips = draws.standard_normal((len(part), len(world.ease[split])), dtype=np.float32)
            shift = draws.standard_normal(len(part))
        else:
            flips = world.tastes[part] @ luck(world, seed, split)[-1]
            shift = world.tastes[part] @ luck(world, seed, "shift")[-1]
        ability = world.theta[part] + world.noise.shift * shift
        known = world.ease[split] + world.tastes[part] @ world.appeal[split]
        right = known + ability[:, None].astype(np.float32) + np.float32(world.noise.chance) * flips > 0
        right[world.dead[part]] = world.labels[split].astype(bool)
        found.append(scores(world, split, right))
    return np.concatenate(found)


@dataclass
class Job:
    """A run under way, under a name."""

    label: str
    run: Run


def side_by_side(
    start: Callable[[], Job | None], told: Callable[[Job, int], bool], draws: np.random.Generator
) -> float:
    """Run what `start` gives, four at a time, until it gives None and all have ended; each evaluation is told in the
    order of time (`told` says whether to stop). An epoch takes everyone as long, to within a tenth.

    Returns the epochs trained.
    """
    queue: list[tuple[float, int, Job, int]] = []
    spent, count = 0.0, 0

    def fill(now: float) -> None:
        nonlocal count
        while len(queue) < AT_ONCE and (job := start()) is not None:
            count += 1
            heapq.heappush(queue, (now + _length(job, draws), count, job, 1))

    fill(0.0)
    while queue:
        now, number, job, evaluation = heapq.heappop(queue)
        spent += job.run.epochs / EVALUATIONS
        if told(job, evaluation) or evaluation == EVALUATIONS:
            fill(now)
        else:
            heapq.heappush(queue, (now + _length(job, draws), number, job, evaluation + 1))
    return spent


def _length(job: Job, draws: np.random.Generator) -> float:
    return job.run.epochs / EVALUATIONS * draws.uniform(0.9, 1.1)
