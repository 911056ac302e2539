"""What a sweep will cost, before it starts: its trials played through with the speeds of a few that were timed."""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykd.search.baseline import baseline_settings
from raykd.search.finals import KD, planned
from raykd.search.halving import Halving
from raykd.search.proposals import Proposer
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.search.timing import Pace
from raykd.train.config import Training

REPLAYS = 9  # of the whole sweep, of which the median counts
NOISE = 0.7  # of a score at an evaluation, beside how good the settings are: standard deviations


@dataclass(frozen=True)
class Rows:
    """Of the training split, of the one that selects, and of all that are evaluated at the end of a run."""

    train: int
    select: int
    end: int


@dataclass(frozen=True)
class Estimate:
    """trials of the search (the baseline counted) and finals after it, epochs of all together, hours from the first
    question to the teacher to the last final, and of GPUs."""

    trials: int
    finals: int
    epochs: float
    hours: float
    gpu_hours: float


def estimate(spec: SweepSpec, space: Space, paces: Sequence[Pace], rows: Rows) -> Estimate:
    """paces: of points of the space, timed with as many at once as the sweep runs, with the first student. Without any,
    hours are not known (NaN). Trials are stopped as halving stops scores that are half luck; proposals are taken as
    even draws."""
    plays = [_play(spec, space, paces, rows, seed) for seed in range(REPLAYS)]
    epochs, seconds = (statistics.median(column) for column in list(zip(*plays, strict=True))[:2])
    finals = round(statistics.median(count for *_, count in plays))
    at_once = max(1, spec.concurrency)
    # What one method asks of it another one may ask too: the dearest stands for all.
    teacher = max((pace.teacher for pace in paces), default=0.0) * rows.train / at_once
    begin = min((pace.begin for pace in paces), default=0.0)  # later ones had to wait for a place
    hours = (begin + teacher + seconds) / 3600 if paces else math.nan
    gpus = spec.concurrency * spec.workers * spec.gpus_per_worker
    return Estimate(spec.trials + 1, finals, epochs, hours, hours * gpus)


def _play(spec: SweepSpec, space: Space, paces: Sequence[Pace], rows: Rows, seed: int) -> tuple[float, float, int]:
    """Epochs and seconds of one sweep: trials on the next free place, then, when all are over, the finals, and how many
    of those there are."""
    proposer = Proposer(space, sampler="random", seed=seed)
    points = [baseline_settings(space)]
    while len(points) <= spec.trials and (point := proposer.propose([])) is not None:
        proposer.started(point)
        points.append(point)
    chance = random.Random(seed)
    halving = Halving(spec.grace, spec.reduction)
    free = [0.0] * max(1, spec.concurrency)
    epochs, complete = 0.0, dict[str, Mapping[str, Any]]()
    # Evaluations of the trials under way in the order of their time: (when, trial, number).
    waiting = list(enumerate(points))[::-1]
    events: list[tuple[float, int, int]] = []
    quality = [chance.gauss(0, 1) for _ in points]
    while waiting or events:
        while waiting and free:
            number, _ = waiting.pop()
            begun = heapq.heappop(free)
            heapq.heappush(events, (begun + _until(spec, points[number], 1, paces, rows), number, 1))
        when, number, evaluation = heapq.heappop(events)
        last = evaluation == spec.training.evaluations
        score = quality[number] + chance.gauss(0, NOISE)
        judged = number > 0 and not last and spec.pruner == "halving"
        if last or (judged and halving.stops(str(number), evaluation, score)):
            epochs += _training(spec, points[number]).epochs * evaluation / spec.training.evaluations
            heapq.heappush(free, when)
            if last and number:
                complete[f"t{number}"] = points[number]
        else:
            heapq.heappush(
                events, (when + _until(spec, points[number], evaluation + 1, paces, rows), number, evaluation + 1)
            )
    end = max(free)
    places = [end] * len(free)
    best = sorted(complete, key=lambda label: -quality[int(label[1:])])[: spec.finalists]
    finals = _finals(spec, {label: complete[label] for label in best}, points[0])
    for settings in finals:
        whole = sum(_until(spec, settings, number, paces, rows) for number in range(1, spec.training.evaluations + 1))
        heapq.heappush(places, heapq.heappop(places) + whole)
        epochs += _training(spec, settings).epochs
    return epochs, max(places), len(finals)


def _finals(
    spec: SweepSpec, best: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    if not spec.finalists:
        return []
    chosen = best or {f"t{number}": baseline for number in range(min(spec.finalists, spec.trials))}
    return [settings for _, settings in planned([*chosen.items()], baseline, spec.final_seeds, spec.seed)]


def work(spec: SweepSpec, settings: Mapping[str, Any]) -> float:
    """How much more work the student of these settings is than the first one, where that was measured."""
    cost, first = spec.cost_of(settings), spec.cost_of({})
    return cost.flops / first.flops if cost and first and first.flops else 1.0


def _training(spec: SweepSpec, settings: Mapping[str, Any]) -> Training:
    return spec.training.model_copy(
        update={name: value for name, value in settings.items() if name in Training.model_fields}
    )


def _until(spec: SweepSpec, settings: Mapping[str, Any], evaluation: int, paces: Sequence[Pace], rows: Rows) -> float:
    """Seconds from one evaluation of a trial (or its start) to the end of the next, number `evaluation`."""
    training = _training(spec, settings)
    if not paces:
        return training.epochs  # only the order counts then
    # The baselines are the cheapest there are, if they could not be timed.
    others = [min(paces, key=lambda pace: pace.step / pace.batch)] if settings["method"] in ("none", KD) else paces
    alike = [pace for pace in paces if pace.method == settings["method"]] or others
    steps = math.ceil(rows.train / training.batch_size) * training.epochs / training.evaluations
    more = work(spec, settings)
    step = more * statistics.fmean(pace.step / pace.batch for pace in alike) * training.batch_size
    looked_at = rows.end if evaluation == training.evaluations else rows.select
    start = statistics.fmean(pace.start for pace in alike) if evaluation == 1 else 0.0
    return start + steps * step + more * statistics.fmean(pace.row for pace in alike) * looked_at
