"""raykd's own ledger in a simulated world: search, finals and verdict as `raykd tune` has them, without training."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from optuna.trial import TrialState

from raykd.report.contenders import champion, judge, significant
from raykd.search.fidelity import fidelity
from raykd.search.finals import BASELINE, KD, parse
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.spec import SweepSpec
from raykd.tasks.predictions import goodness, pack, unpack
from raykd.train.config import TaskSpec, Training
from tests.benchmarks.simulate_rivals import Outcome
from tests.benchmarks.simulate_runs import AT_ONCE, PROGRESS, SEARCH, Job, Run, side_by_side
from tests.benchmarks.simulate_surfaces import EVALUATIONS, World
from tests.benchmarks.simulate_tasks import metric_of


@dataclass(frozen=True)
class Ways:
    """How ours searches and confirms; None: as raykd derives it from the task. trials None: as the budget allows."""

    finalists: int = 3
    final_seeds: int = 3
    pruner: str = "halving"
    grace: int | None = None
    reduction: int | None = None
    sampler: str = "tpe"
    trials: int | None = None


@dataclass(frozen=True)
class Staged:
    """Points whose number is odd have a first stage without scores. late: their classifier learns only after it."""

    until: float
    late: bool


def spec_of(world: World, ways: Ways, seed: int) -> SweepSpec:
    """A sweep that needs no data."""
    task, longest = world.task, float(world.epochs.max())
    training = Training(epochs=longest, evaluations=EVALUATIONS)
    few = fidelity(task.select, task.train, training, grace=ways.grace, reduction=ways.reduction)
    floor = metric_of(task.metric, np.ones(1), np.zeros(1), float(world.labels["select"].mean()))
    known = TaskSpec(name=task.name, labels=("no", "yes"), metrics=(task.metric,), primary=task.metric)
    return SweepSpec(
        name="simulated", task=known,
        source="none", fingerprint="none", train="none", dev={"select": "none", "dev": "none"}, teacher="none",
        teacher_name="none", teacher_score=1.0, teacher_parameters=1, student="cut:1", origin="none",
        student_parameters=1, space=world.space.name, method=None, trials=ways.trials or world.none,
        concurrency=AT_ONCE, sampler=ways.sampler, seed=seed, training=training, tracking_uri="none",
        pruner=ways.pruner, floor=float(floor[0]), grace=few.grace, reduction=few.reduction,
        finalists=ways.finalists, final_seeds=ways.final_seeds,
    )  # fmt: skip


def drive(
    world: World, ways: Ways, seed: int, budget: float, staged: Staged | None = None
) -> tuple[Ledger, dict[str, Run], float, tempfile.TemporaryDirectory[str]]:
    """A whole sweep: its ledger, its runs, the epochs trained, and the folder that the journal lies in. The search is
    closed, as by a time budget, when one more trial and the finals as they would be now take what is left of `budget`.
    """
    draws = np.random.default_rng([seed, 7])
    spec = spec_of(world, ways, seed)
    folder = tempfile.TemporaryDirectory(prefix="simulated-")
    labels = world.labels["select"]

    def how_good(report: Any) -> np.ndarray | None:
        return goodness(spec.task, unpack(report["answers"]["select"]), labels) if "answers" in report else None

    ledger = Ledger(Journal(Path(folder.name)), spec, world.space, "trials", how_good)
    runs: dict[str, Run] = {}
    longest = float(world.epochs.max())
    at_most = longest * (ways.finalists and (ways.finalists + 2) * ways.final_seeds)
    committed = 0.0

    def start() -> Job | None:
        nonlocal committed
        planned = [float(world.epochs[world.number(settings)]) for _, settings in ledger.planned_finals()]
        if ledger.searching and committed + longest + (sum(planned) if planned else at_most) > budget:
            ledger.close()
        trial = ledger.next()
        if trial is None:
            return None
        settings = ledger.entry(trial.label).settings
        number, final = world.number(settings), parse(trial.label)
        slow = staged.until if staged and staged.late and number % 2 else 0.0
        runs[trial.label] = Run(world, number, draws, slow, seed=final.number if final else SEARCH)
        committed += runs[trial.label].epochs
        return Job(trial.label, runs[trial.label])

    def told(job: Job, evaluation: int) -> bool:
        nonlocal committed
        progress = float(PROGRESS[evaluation - 1])
        scored = staged is None or job.run.number % 2 == 0 or progress > staged.until or evaluation == EVALUATIONS
        report = _report(job.run, evaluation, scored)
        if ways.pruner == "paired" or evaluation == EVALUATIONS:
            report["answers"] = {"select": pack(job.run.answers_at("select", evaluation))}
        stop = ledger.report(job.label, report)
        committed -= stop * job.run.epochs * (1 - evaluation / EVALUATIONS)
        if evaluation == EVALUATIONS and not stop:
            ledger.end(job.label, TrialState.COMPLETE)
        return stop

    with patch("raykd.search.journal.os.fsync"):  # no machine is switched off here
        spent = side_by_side(start, told, draws)
    return ledger, runs, spent, folder


def _report(run: Run, evaluation: int, scored: bool) -> dict[str, Any]:
    score, progress = float(run.scores("select")[evaluation - 1]), float(PROGRESS[evaluation - 1])
    moments = {"seconds": 1.0, "first_step": 0.0, "at": float(evaluation)}
    done = {"evaluation": evaluation, "progress": progress, "step": 10 * evaluation}
    return {**done, "score": score, "scored": scored, "metrics": {"select": score}, **moments}


def ours(world: World, ways: Ways, seed: int, budget: float) -> Outcome:
    """The champion of the finals, chosen on the rows held out, with its mean dev score over fresh seeds."""
    ledger, runs, spent, folder = drive(world, ways, seed, budget)
    with folder:
        finals = ledger.finals()
        best = ledger.best()
        task = ledger.spec.task
        if not ways.finalists or not finals:
            assert best is not None
            run = runs[best.label]
            return Outcome(run.number, float(run.scores("dev")[-1]), spent)
    answers: dict[str, dict[int, dict[str, np.ndarray]]] = {}
    for name, entries in finals.items():
        for entry in entries:
            final = parse(entry.label)
            assert final is not None
            run = runs[entry.label]
            answers.setdefault(name, {})[final.number] = {split: run.answers(split) for split in ("select", "dev")}
    contenders = judge(
        task, answers, world.labels, {}, {}, selecting="select", reporting="dev", baselines=[BASELINE, KD]
    )
    first = champion(contenders)
    number = world.number(ledger.entry(f"{first.name}-s1").settings)
    return Outcome(number, first.report.mean, spent, first.name != BASELINE and significant(first))


def survivors(world: World, seed: int, staged: Staged, trials: int = 60) -> tuple[int, int, int, int]:
    """Trials that halving let through, and all, without a first stage; then the same with one. Points by chance."""
    ways = Ways(finalists=0, final_seeds=0, sampler="random", trials=trials)
    ledger, runs, _, folder = drive(world, ways, seed, np.inf, staged)
    with folder:
        entries = [entry for entry in ledger.entries() if entry.label != BASELINE]
    through = {0: 0, 1: 0}
    started = {0: 0, 1: 0}
    for entry in entries:
        kind = runs[entry.label].number % 2
        started[kind] += 1
        through[kind] += entry.state is TrialState.COMPLETE
    return through[0], started[0], through[1], started[1]
