"""One worker of a group of two, run by test_group.py: ``python -m tests.train.group SETTING OUT RANK``.

Runs the jobs in order, in one process group, and writes what each left as ``OUT/<job>-<rank>.*``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

from raykd.methods.recipe import Recipe, Step, Term
from raykd.train.config import TaskSpec, Training
from raykd.train.finite import NonFiniteLoss
from raykd.train.leave import Preempted
from raykd.train.spread import everywhere
from raykd.train.world import World, joined
from tests.train.setting import TRAINING, Setting, weights
from tests.train.toys import two_stages

SIX_STEPS = TRAINING.model_copy(update={"epochs": 1.0, "evaluations": 3, "learning_rate": 5e-4})
# Rows that divide by two workers and by two micro-batches: means of means are the mean of all.
PIECES = SIX_STEPS.model_copy(update={"accumulation": 2})


def watched(recipe: Recipe, look: Callable[[Step, Tensor], Tensor]) -> Recipe:
    """The recipe, with `look` between the first term of each stage and its result."""

    def through(term: Term) -> Term:
        return replace(term, loss=lambda step: look(step, term.loss(step)))

    stages = tuple(replace(stage, terms=(through(stage.terms[0]), *stage.terms[1:])) for stage in recipe.stages)
    return replace(recipe, stages=stages)


def by_step(setting: Setting, recipe: Recipe, folder: Path, world: World, training: Training) -> dict[str, Tensor]:
    """Train without dropout; the weights at each micro-batch and at the end, ``<number>/<name>``."""
    student = setting.student(dropout=0.0)
    count = len(weights(student))
    kept: dict[str, Tensor] = {}

    def look(_: Step, loss: Tensor) -> Tensor:
        kept.update({f"{len(kept) // count}/{name}": value for name, value in weights(student).items()})
        return loss

    reports = setting.run(watched(recipe, look), folder, student, training=training, world=world)
    kept |= {f"end/{name}": value for name, value in weights(student).items()}
    kept["reports"] = torch.tensor([float(report.step) for report in reports])
    return kept


def random_states(setting: Setting, folder: Path, world: World) -> list[list[float]]:
    """What each step would draw next, of a run that is stopped at its second report and started again."""
    starts: list[list[float]] = []

    def look(_: Step, loss: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            starts[-1].append(float(torch.rand(())))
        return loss

    recipe = watched(setting.recipe("kd"), look)
    for going in (lambda done: done.evaluation < 2, lambda _: True):
        starts.append([])
        setting.run(
            recipe, folder, setting.student(), training=SIX_STEPS, world=world, report=going, checkpoint_every=0.0
        )
    return starts


def one_is_asked_to_leave(setting: Setting, folder: Path, world: World) -> tuple[list[str], dict[str, Tensor]]:
    """The other worker (rank 1) is, before step 4; then both go on. What each start said, and the weights at the end.

    Each worker has a folder of its own, as on two machines: the main worker's is the one that counts.
    """
    said: list[str] = []
    asked = iter(range(10))
    student = setting.student(dropout=0.0)
    for leave in (lambda: next(asked) == 3 and world.rank == 1, lambda: False):
        student = setting.student(dropout=0.0)
        try:
            reports = setting.run(
                setting.recipe("kd"),
                folder / str(world.rank),
                student,
                training=SIX_STEPS,
                world=world,
                leave=leave,
                saved=lambda: said.append("saved"),
            )
            said.append(f"reports {[report.step for report in reports]}")
        except Preempted as error:
            said.append(str(error))
    return said, {f"end/{name}": value for name, value in weights(student).items()}


def one_goes_bad(setting: Setting, folder: Path, world: World) -> str:
    """The error of this worker when the loss of the other one (rank 1) is no number from step 4 on."""

    def look(step: Step, loss: Tensor) -> Tensor:
        return loss * float("nan") if world.rank == 1 and step.progress > 3.5 / 6 else loss

    try:
        setting.run(watched(setting.recipe("kd"), look), folder, setting.student(), training=SIX_STEPS, world=world)
    except NonFiniteLoss as error:
        return str(error)
    return "no error"


def main(setting: Setting, out: Path, rank: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{out / 'store'}", rank=rank, world_size=2)
    world = joined()
    for job, training in {"whole": SIX_STEPS, "pieces": PIECES}.items():
        kept = by_step(setting, setting.recipe("kd"), out / f"run-{job}", world, training)
        save_file(kept, out / f"{job}-{rank}.safetensors")
    save_file(by_step(setting, two_stages(), out / "run-toy", world, SIX_STEPS), out / f"toy-{rank}.safetensors")
    states = random_states(setting, out / "run-states", world)
    left, kept = one_is_asked_to_leave(setting, out / "run-left", world)
    save_file(kept, out / f"left-{rank}.safetensors")
    mine = out / f"disk-{rank}" / "student"
    there = [everywhere(mine, world)]
    if world.main:
        mine.mkdir(parents=True)
        (mine / "weights").write_bytes(b"of the main worker")
    there += [everywhere(mine, world), everywhere(mine, world)]
    bad = one_goes_bad(setting, out / "run-bad", world)
    (out / f"told-{rank}.json").write_text(json.dumps({"states": states, "bad": bad, "left": left, "there": there}))
    dist.destroy_process_group()


if __name__ == "__main__":
    folder, output, number = sys.argv[1:]
    task = TaskSpec.model_validate_json((Path(output) / "task.json").read_text())
    main(Setting(Path(folder), task), Path(output), int(number))
