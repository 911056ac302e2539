"""The training loop: one function runs one distillation, with or without Ray, alone or as one of several workers.

What it needs is handed in: the networks, the recipe, the tokenised splits, a folder, and a function that takes each
report and says whether to go on. It knows nothing of sweeps.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from raykd.knowledge.observe import LiveTeacher
from raykd.methods.recipe import Recipe, Seen
from raykd.train import checkpoint
from raykd.train.batches import micro_batches, plan_epoch, share
from raykd.train.config import TaskSpec, Training
from raykd.train.evaluate import evaluate
from raykd.train.objective import Objective
from raykd.train.optimise import make_optimizer, rate_at
from raykd.train.world import World

if TYPE_CHECKING:
    from raykd.tasks.encode import Encoded

CHECKPOINT_EVERY = 30.0  # seconds: a run shorter than this is quicker to repeat than to save


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite. Says at which step, and what the last good value was."""


@dataclass(frozen=True)
class Report:
    """One evaluation: its number (1-based), the part of the run done, and what was measured.

    score is the task's primary metric on the first dev split; metrics holds every metric and each term's mean value
    since the last report; seconds is training time so far, evaluations and checkpoints included; first_step and at are
    the moments (seconds since the epoch) of this process's first step and of the report.
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
    teacher: nn.Module | None = None,
    device: torch.device | None = None,
    world: World | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> Report | None:
    """Train `student` by `recipe` and return the last report, or None when `report` answered False (stop).

    Resumes from the newest checkpoint under `folder` if there is one. The student is trained in place. Raises
    NonFiniteLoss at the step at which the loss is no longer a number.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    world = world or World()
    torch.manual_seed(training.seed * 1000 + world.rank)
    answers = LiveTeacher(teacher.to(device)) if teacher is not None else None
    objective = Objective(student, recipe, teacher).to(device).train()
    optimizer = make_optimizer(objective, training)
    wrapped = world.wrap(objective)

    per_epoch = math.ceil(len(train) / training.batch_size)
    total = max(1, math.ceil(per_epoch * training.epochs))
    evaluate_after = sorted({math.ceil(total * i / training.evaluations) for i in range(1, training.evaluations + 1)})
    position = checkpoint.Position(0, 0, 0.0)
    if (saved := checkpoint.latest(folder)) is not None:
        position = checkpoint.load(saved, objective, optimizer)
    started = time.monotonic() - position.seconds
    last_saved = time.monotonic()
    first_step = time.time()
    last: Report | None = None
    good = math.nan
    sums: dict[str, torch.Tensor] = {}
    counted = 0
    plan_of, plan = -1, []

    for step in range(position.step, total):
        epoch = step // per_epoch
        if epoch != plan_of:
            plan_of, plan = epoch, plan_epoch(train.lengths, training.batch_size, seed=training.seed, epoch=epoch)
        rows = share(plan[step % per_epoch], world.rank, world.size)
        progress = (step + 1) / total
        stage = recipe.stage_at(progress)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, total, training)
        loss = torch.zeros((), device=device)
        pieces = micro_batches(rows, training.accumulation)
        for number, piece in enumerate(pieces, start=1):
            batch = train.batch(piece).to(device)
            told = answers.answer(batch, stage.teacher_needs()) if answers else Seen({})
            # Gradients are exchanged once a step, at its last micro-batch.
            waits = world.size > 1 and number < len(pieces)
            with wrapped.no_sync() if waits else contextlib.nullcontext(), _autocast(device):
                part, terms = wrapped(batch, told, stage, progress)
                part = part * (len(piece) / len(rows))
                part.backward()
            loss += part.detach()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value * (len(piece) / len(rows))
        if device.type == "cpu" or step + 1 in evaluate_after:  # elsewhere, reading the loss would stall the device
            if not math.isfinite(value := loss.item()):
                raise NonFiniteLoss(f"loss is {value} at step {step + 1} of {total}; last good value {good:.6g}")
            good = value
        nn.utils.clip_grad_norm_(objective.parameters(), training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        counted += 1

        if step + 1 not in evaluate_after:
            continue
        number = evaluate_after.index(step + 1) + 1
        go_on = True
        if world.main:
            metrics = evaluate(student, task, dev, device=device)
            score = metrics[f"{next(iter(dev))}/{task.primary}"]
            metrics |= {f"train/{name}": float(value) / counted for name, value in sums.items()}
            metrics |= {"train/loss": good, "train/learning_rate": rate_at(step, total, training)}
            seconds = time.monotonic() - started
            last = Report(number, progress, step + 1, score, stage.scored, metrics, seconds, first_step, time.time())
            due = time.monotonic() - last_saved >= checkpoint_every
            if due and step + 1 < total:
                checkpoint.save(folder, objective, optimizer, checkpoint.Position(step + 1, number, seconds))
                last_saved = time.monotonic()
            go_on = report(last)
        sums, counted = {}, 0
        if not world.agree(go_on):
            return None
    return last


def _autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """bf16 where the accelerator computes in it; on CPUs it is measured to be many times slower than float32."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
