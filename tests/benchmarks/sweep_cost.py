"""What a sweep of 20 trials costs in CPU-seconds, ours and others': ``python -m tests.benchmarks.sweep_cost``.

`kd` and `ckd` (paper variant, delta 10, all aligned layers) on RTE's text, a teacher of 12 layers and 768 wide, a
student of 4 and 312. Ours is what it costs to store the teacher's answers once and to run 20 trials that read them;
its rivals are (a) raykd's own loop with the live teacher, (b) Hugging Face's Trainer and (c) TextBrewer, whose trials
are a plain loop: what a search library adds on top is left out, in their favour, as is the loading of their teacher.
Nobody evaluates, saves or logs. All have the same batches, of rows of similar length; with ``--shuffled`` (b) and (c)
take rows as they come, which is what both do unasked. They want packages: see tests/benchmarks/rivals.py.

Trials of a sweep cost alike, so a few of each way are measured, in turns, and a sweep is 20 times the median. For the
whole split, building the store grows with the rows, and a trial with its steps but for what goes before the first.
``--steps`` lets (b) and (c) take so many steps a trial, at evenly spread lengths; their cost a trial is then by steps.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.methods.recipe import Recipe
from raykd.train.batches import plan_epoch
from raykd.train.config import Training
from raykd.train.loop import distill
from raykd.train.objective import Objective
from raykd.train.scene import Around, make_scene
from tests.benchmarks import rivals
from tests.benchmarks.rte import Place, place

TRIALS = 20  # of a sweep
ALL_ROWS = 2_490  # of RTE's training split
CPU = torch.device("cpu")
OURS = "ours"
# length: tokens a row is cut to; delta: of ckd; trials: measured of each way.
SIZES = {"rows": 320, "batch": 16, "epochs": 3, "length": 128, "delta": 10, "trials": 5, "threads": 1}
# The least times that a rival's sweep is to cost ours.
GOALS = {"kd": {"(a)": 4.0, "(b)": 4.0, "(c)": 4.0}, "ckd": {"(a)": 3.0, "(b)": 10.0, "(c)": 10.0}}

Way = Callable[[PreTrainedModel, Path], object]  # runs one trial: student, empty folder
Batches = list[list[int]]


@dataclass(frozen=True)
class Cost:
    """CPU-seconds of one trial before its first step, and of each step."""

    start: float
    step: float

    def trial(self, steps: int) -> float:
        return self.start + self.step * steps


def measured(at: Place, live: PreTrainedModel, way: Way, steps: int, folder: Path) -> Cost:
    """One trial, the making of its student included; the first step begins when either network is first asked."""
    begun: list[float] = []
    started = time.process_time()
    student = at.student()

    def first(*_: object) -> None:
        if not begun:
            begun.append(time.process_time())

    hooks = [model.register_forward_pre_hook(first) for model in (student, live)]
    way(student, folder)
    ended = time.process_time()
    for hook in hooks:
        hook.remove()
    return Cost(begun[0] - started, (ended - begun[0]) / steps)


def by_ours(
    at: Place, recipe: Recipe, teacher: Teacher, training: Training, student: PreTrainedModel, folder: Path
) -> None:
    distill(
        student, recipe, at.train, {}, at.task, training, folder, lambda report: True, teacher=teacher, device=CPU,
        checkpoint_every=1e9,
    )  # fmt: skip


def batches_of(at: Place, training: Training, epochs: int, shuffled: bool, most: int | None) -> Batches:
    """Of a rival's trial; where there are more than `most`, so many of them, at evenly spread lengths."""
    lengths, size = at.train.lengths, training.batch_size
    planned: list[np.ndarray] = []
    for epoch in range(epochs):
        if shuffled:
            order = np.random.default_rng(epoch).permutation(len(lengths))
            planned += [order[start : start + size] for start in range(0, len(order), size)]
        else:
            planned += plan_epoch(lengths, size, seed=training.seed, epoch=epoch)
    if most is not None and most < len(planned):
        planned.sort(key=lambda rows: int(lengths[rows].max()) * len(rows))
        planned = [planned[int((i + 0.5) * len(planned) / most)] for i in range(most)]
    return [rows.tolist() for rows in planned]


def check(
    at: Place,
    recipe: Recipe,
    stored: Teacher,
    live: PreTrainedModel,
    goal: rivals.Objective,
    rows: list[int],
    out: Path,
) -> None:
    """SystemExit unless all ways have one loss (to 1e-3) and gradient (to 1e-2 of its norm) on a batch; no dropout."""
    student, inputs = at.student().eval(), rivals.inputs_of(at.train, rows)
    batch, stage = at.train.batch(rows), recipe.stages[0]

    def own(teacher: Teacher) -> Tensor:
        scene = make_scene(student, teacher, at.train, at.task, Around(), CPU)
        told = teacher.answer(batch, stage.teacher_needs())
        loss: Tensor = Objective(student, recipe, scene, {}).eval()(batch, told, stage, 1.0)[0]
        return loss

    def textbrewer() -> Tensor:
        """Its soft loss is larger by the teacher's entropy."""
        states = {"output_hidden_states": bool(goal.relations)}
        loss: Tensor = rivals.distiller(live, goal, student, out).train_on_batch(inputs, states)[0]
        with torch.no_grad():
            soft = (live(**inputs).logits / goal.temperature).softmax(-1)
        return loss + goal.alpha * goal.temperature**2 * (soft * soft.log()).sum(dim=-1).mean()

    losses = {
        OURS: lambda: own(stored),
        "(a)": lambda: own(live_teacher(live)),
        "(b)": lambda: goal.loss(student, live, inputs),
        "(c)": textbrewer,
    }
    values, slopes = {}, {}
    for name, loss in losses.items():
        value = loss()
        values[name] = value.item()
        gradients = torch.autograd.grad(value, [*student.parameters()], allow_unused=True)
        slopes[name] = nn.utils.parameters_to_vector(g for g in gradients if g is not None)
    off = {name: (slope - slopes[OURS]).norm().item() / slopes[OURS].norm().item() for name, slope in slopes.items()}
    print("  one batch:", "; ".join(f"{name} {values[name]:.6f}, gradient off {off[name]:.0e}" for name in losses))
    if any(abs(value / values[OURS] - 1) > 1e-3 for value in values.values()) or max(off.values()) > 1e-2:
        raise SystemExit("the ways do not compute the same")


def table(method: str, costs: dict[str, list[Cost]], build: float, steps: int, rows: int, whole: int) -> None:
    """whole: the steps of a trial on all rows."""
    print(f"  {'':6}{'a step':>9}{'start':>8}{'a trial':>10}{f'sweep, {rows}':>14}{'':>8}{f'sweep, {ALL_ROWS}':>14}")
    sweeps: dict[str, tuple[float, float]] = {}
    for name, found in costs.items():
        once = build if name == OURS else 0.0
        trial, large = (statistics.median(cost.trial(number) for cost in found) for number in (steps, whole))
        sweeps[name] = once + TRIALS * trial, once * ALL_ROWS / rows + TRIALS * large
        ratios = [sweep / own for sweep, own in zip(sweeps[name], sweeps[OURS], strict=True)]
        step, start = (statistics.median(getattr(cost, part) for cost in found) for part in ("step", "start"))
        print(
            f"  {name:6}{step:9.3f}{start:8.2f}{trial:10.2f}{sweeps[name][0]:14.1f}{ratios[0]:7.2f}x"
            f"{sweeps[name][1]:14.1f}{ratios[1]:7.2f}x"
        )
    for rival, least in GOALS[method].items():
        small, large = (sweep / own for sweep, own in zip(sweeps[rival], sweeps[OURS], strict=True))
        said = "met" if min(small, large) >= least else "MISSED"
        print(f"  against {rival}: {small:.2f}x, all rows {large:.2f}x; goal {least:g}x {said}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sweep_cost", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    for name, number in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--steps", type=int, help="at most, of a trial of (b) and (c)")
    parser.add_argument("--shuffled", action="store_true", help="(b) and (c) do not group rows by length")
    parser.add_argument("--methods", nargs="*", default=list(GOALS), choices=list(GOALS))
    asked = parser.parse_args()
    rivals.check_installed()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        at = place(folder, asked.data, rows=asked.rows, length=asked.length)
        training = Training(epochs=asked.epochs, batch_size=asked.batch, evaluations=1, max_length=asked.length)
        live = at.teacher()
        steps, whole = (asked.epochs * math.ceil(rows / asked.batch) for rows in (asked.rows, ALL_ROWS))
        theirs = batches_of(at, training, asked.epochs, asked.shuffled, asked.steps)
        print(f"CPU-seconds: {vars(asked)}; {at.train.lengths.mean():.0f} tokens a row; {steps} steps a trial")
        if len(theirs) < steps:
            print(f"(b) and (c) take {len(theirs)} of these steps, at evenly spread lengths; their cost is scaled")
        for method in asked.methods:
            recipe = at.recipe(method, **({"delta": asked.delta} if method == "ckd" else {}))
            began = time.process_time()
            stored = at.stored(recipe.teacher_needs(), folder / f"knowledge-{method}")
            build = time.process_time() - began
            print(f"{method}: building the store {build:.2f}, once a sweep", flush=True)
            goal = rivals.objective_of(method, asked.delta, stored.shape.layers, at.student().config.num_hidden_layers)
            check(at, recipe, stored, live, goal, theirs[len(theirs) // 2], folder / "check")
            data = rivals.loader(at.train, theirs)
            ways: dict[str, tuple[Way, int]] = {
                OURS: (partial(by_ours, at, recipe, stored, training), steps),
                "(a)": (partial(by_ours, at, recipe, live_teacher(live), training), steps),
                "(b)": (partial(rivals.by_trainer, live, goal, data, training), len(theirs)),
                "(c)": (partial(rivals.by_textbrewer, live, goal, data, training), len(theirs)),
            }
            costs: dict[str, list[Cost]] = {name: [] for name in ways}
            for turn in range(asked.trials):
                for name, (way, number) in ways.items():
                    costs[name].append(measured(at, live, way, number, folder / f"{method}-{turn}-{name}"))
                    print(f"  trial {turn + 1} {name}: {costs[name][-1].step:.3f} a step", flush=True)
            table(method, costs, build, steps, asked.rows, whole)


if __name__ == "__main__":
    main()
