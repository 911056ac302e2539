"""The training loop: one function runs one distillation, with or without Ray, alone or as one of several workers.

What it needs is handed in: the networks, the recipe, the tokenised splits, a folder, a function that takes each report
and says whether to go on, and two more for machines that go away. It knows nothing of sweeps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from raykd.knowledge.teacher import Teacher
from raykd.methods.recipe import Recipe
from raykd.methods.seen import Seen
from raykd.seeds import derive_seed
from raykd.train.autocast import autocast
from raykd.train.batches import micro_batches, plan_epoch, share
from raykd.train.config import TaskSpec, Training
from raykd.train.duel import Duel
from raykd.train.evaluate import evaluate, examine
from raykd.train.finite import Watch
from raykd.train.keeper import Keeper
from raykd.train.leave import Leaving, Preempted
from raykd.train.objective import Objective
from raykd.train.optimise import make_optimizer, rate_at
from raykd.train.scene import Around, facts_of, make_scene
from raykd.train.stages import Best, begin_stage, plan_stages
from raykd.train.state import Position
from raykd.train.tally import Tally
from raykd.train.world import World

if TYPE_CHECKING:
    from raykd.tasks.encode import Encoded

CHECKPOINT_EVERY = 30.0  # seconds: a run shorter than this is quicker to repeat than to save


@dataclass(frozen=True)
class Report:
    """One evaluation: its number (1-based), the part of the run done, and what was measured.

    score is the task's primary metric on the first dev split; metrics holds every metric on it (at the end of the run
    on every split), the learning rate, and the means of the loss and of each term since the last report (over the steps
    that had the term, and the main worker's rows); seconds is training time so far, evaluations and checkpoints
    included; first_step and at are the moments (seconds since the epoch) of this process's first step and of the
    report; answers holds by split what was answered, packed (see raykd.tasks.predictions).
    """

    evaluation: int
    progress: float
    step: int
    score: float
    scored: bool
    metrics: dict[str, float]
    seconds: float
    first_step: float
    at: float
    answers: dict[str, str] = field(default_factory=dict)


def distill(
    student: nn.Module,
    recipe: Recipe,
    train: Encoded,
    dev: dict[str, Encoded],
    task: TaskSpec,
    training: Training,
    folder: Path,
    report: Callable[[Report], bool],
    *,
    teacher: Teacher | None = None,
    around: Around = Around(),  # noqa: B008 (frozen)
    device: torch.device | None = None,
    world: World | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
    saved: Callable[[], object] = lambda: None,
    leave: Callable[[], bool] = lambda: False,
    pauses: int = 0,
) -> Report | None:
    """Train `student` by `recipe` and return the last report, or None when `report` answered False (stop).

    Only the main worker reports, and gets one back. Resumes from the newest whole checkpoint under `folder` if there is
    one; an evaluation may then be reported a second time, never not at all. The student is trained in place. around:
    what a few recipes want beside the data. pauses: from this evaluation on (0: never) a checkpoint is written one step
    before each, since `report` may answer False and the run be wanted again. saved: called by the main worker after
    each checkpoint stands. leave: asked before each step; when it answers True a checkpoint of that moment is written
    and Preempted raised, by all workers of a group (see Leaving). Raises NonFiniteLoss if the loss is no longer a
    number: at that very step on a CPU, within 50 steps elsewhere; OSError if a checkpoint cannot be written.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    world = world or World()
    world.seed(derive_seed(training.seed, "extras"), step=0)
    scene = make_scene(student, teacher, train, task, around, device)
    network = teacher.network(device) if teacher is not None and recipe.live else None
    objective = Objective(student, recipe, scene, facts_of(recipe, scene, around), network).to(device).train()
    optimizer = make_optimizer(objective, training)
    opponent = Duel(recipe.opponent, objective, scene, device, training) if recipe.opponent else None
    trained = nn.ModuleList([objective] + ([opponent.module] if opponent else []))
    optimizers = [optimizer] + ([opponent.optimizer] if opponent else [])
    wrapped = world.wrap(objective)

    per_epoch = math.ceil(len(train) / training.batch_size)
    total = max(1, round(per_epoch * training.epochs))
    spans = plan_stages(recipe, total)
    evaluate_after = {math.ceil(total * i / training.evaluations) for i in range(1, training.evaluations + 1)}
    evaluation_after = {step: number for number, step in enumerate(sorted(evaluate_after), start=1)}
    tally = Tally()
    keeper = Keeper(folder, trained, optimizers, tally, world, every=checkpoint_every, saved=saved)
    dropout, order = derive_seed(training.seed, "dropout"), derive_seed(training.seed, "order")
    world.seed(dropout, step=0)
    position = keeper.resume(device)
    if position.step and not world.main:  # the random state saved is the main worker's
        world.seed(dropout, step=position.step)
    leaving = Leaving(leave, world, device)
    best = Best(folder)
    started = time.monotonic() - position.seconds
    first_step = time.time()
    last: Report | None = None
    watch = Watch(position.step + 1, total, device)
    first = dict(list(dev.items())[:1])
    plan_of, plan = -1, []

    def keep(done: int) -> None:
        """Write the checkpoint of `done` steps."""
        watch.read()
        evaluated = sum(after <= done for after in evaluation_after)
        keeper.keep(Position(done, evaluated, time.monotonic() - started))

    def judged(metrics: dict[str, float]) -> float:
        """The task's score; without a dev split (texts before any task) the run's own objective."""
        return metrics[f"{next(iter(dev))}/{task.primary}"] if dev else -tally.mean("loss")

    for step in range(position.step, total):
        if leaving.now(step):
            if world.main:
                keep(step)
            world.agree(True)  # a worker that ends may end the group: none does before the checkpoint stands
            raise Preempted(f"left before step {step + 1} of {total}, as it was asked to; goes on from there")
        if pauses and world.main and pauses <= evaluation_after.get(step + 1, 0) and step + 1 < total:
            keep(step)
        epoch = step // per_epoch
        if epoch != plan_of:
            plan_of, plan = epoch, plan_epoch(train.lengths, training.batch_size, seed=order, epoch=epoch)
        rows = share(plan[step % per_epoch], world.rank, world.size)
        progress = (step + 1) / total
        number = next(i for i, span in enumerate(spans) if step < span.end)
        span, stage = spans[number], spans[number].stage
        if step == span.start and number:
            begin_stage(stage, spans[number - 1].stage, student, optimizer, best, world)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step - span.rate_start, span.rate_end - span.rate_start, training)
        measured: dict[str, torch.Tensor] = {}  # the loss and each term, over this step's rows
        pieces = micro_batches(rows, training.accumulation)
        if opponent is not None and opponent.turn(step, progress):
            for piece in pieces:
                opponent.learn(train.batch(piece).to(device), progress, len(piece) / len(rows), autocast(device))
            opponent.update(world)
        for part, piece in enumerate(pieces, start=1):
            batch = train.batch(piece)
            told = teacher.answer(batch, stage.teacher_needs(), device) if teacher else Seen({})
            batch = batch.to(device)
            weight = len(piece) / len(rows)
            with world.exchange(wrapped, now=part == len(pieces)):
                with autocast(device):
                    loss, terms = wrapped(batch, told, stage, progress)
                (loss * weight).backward()
            for name, value in {**terms, "loss": loss.detach()}.items():
                measured[name] = measured.get(name, 0) + value * weight
        norm = nn.utils.clip_grad_norm_(objective.parameters(), training.max_grad_norm)
        watch.add(measured["loss"], norm, read=step + 1 in evaluation_after)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tally.add(measured)

        wanted = number + 1 < len(spans) and spans[number + 1].stage.from_best  # the best student of this stage
        if step + 1 not in evaluation_after:
            if wanted and step + 1 == span.end and world.main:  # the last one counts, wherever evaluations fall
                best.offer(student, stage.name, judged(evaluate(student, task, first, device=device)))
            if world.main and step + 1 < total and keeper.due():
                keep(step + 1)
            continue
        go_on = True
        if world.main:
            number_of = evaluation_after[step + 1]
            looked_at = dev if step + 1 == total else first  # the others report, they do not select
            metrics, answers = examine(student, task, looked_at, device=device)
            score = judged(metrics)
            metrics |= tally.means()
            metrics["train/learning_rate"] = optimizer.param_groups[0]["lr"]
            if wanted:
                best.offer(student, stage.name, score)
            seconds = time.monotonic() - started
            last = Report(
                number_of, progress, step + 1, score, stage.scored, metrics, seconds, first_step, time.time(), answers
            )
            go_on = report(last)
        else:
            world.attend()
        tally.clear()
        # Reported first and saved after: a crash in between repeats a report, the other order would lose it.
        if world.main and go_on and step + 1 < total and keeper.due():
            keep(step + 1)
        if not world.agree(go_on):
            return None
    return last
