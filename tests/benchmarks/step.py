"""A trial's step against plain fine-tuning of the same student: ``python -m tests.benchmarks.step``.

RTE's text, a teacher of 12 layers and 768 wide, a student of 4 and 312, both from their configuration. The rival is a
fine-tuning loop as anyone would write it, on the same batches: forward, backward, clipping, fused AdamW. Beside it run
raykd's own loop without distillation, and each method with what the teacher says from the store and from the teacher
itself. CPU-seconds a step, the medians of turns that alternate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.methods.recipe import Recipe
from raykd.train.batches import plan_epoch
from raykd.train.config import Training
from raykd.train.loop import distill
from tests.benchmarks.rte import Place, place

METHODS: dict[str, tuple[str, dict[str, object]]] = {
    "kd": ("kd", {}),
    "ckd": ("ckd", {"delta": 10}),
    "fsd_i": ("fsd_i", {}),
    "fsd": ("fsd", {"centroids": 100}),
}
CPU = torch.device("cpu")


def plain(at: Place, training: Training, steps: int) -> float:
    """CPU-seconds a step of fine-tuning without raykd's loop."""
    model = at.student().train()
    decayed = [p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed[0], "weight_decay": 0.01}, {"params": decayed[1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=5e-5, fused=True)
    batches = plan_epoch(at.train.lengths, training.batch_size, seed=training.seed, epoch=0)[:steps]
    started = time.process_time()
    for rows in batches:
        batch = at.train.batch(rows)
        outputs = model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            token_type_ids=batch.token_type_ids,
            labels=batch.labels,
        )
        outputs.loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return (time.process_time() - started) / steps


def ours(at: Place, recipe: Recipe, teacher: Teacher | None, training: Training, steps: int, folder: Path) -> float:
    """CPU-seconds a step of raykd's loop; what comes before the first step is left out, and there is no dev split."""
    begun: list[float] = []
    student = at.student()

    def first(*_: object) -> None:
        if not begun:
            begun.append(time.process_time())

    hook = student.register_forward_pre_hook(first)
    distill(
        student, recipe, at.train, {}, at.task, training, folder, lambda report: True, teacher=teacher, device=CPU,
        checkpoint_every=1e9,
    )  # fmt: skip
    hook.remove()
    return (time.process_time() - begun[0]) / steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.step", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--length", type=int, default=128, help="tokens a row is cut to")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--live", action="store_true", help="also with the teacher answering live")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        at = place(folder, asked.data, rows=asked.batch * asked.steps, length=asked.length)
        training = Training(epochs=1, batch_size=asked.batch, evaluations=1, max_length=asked.length)
        ways: dict[str, Callable[[Path], float]] = {
            "plain fine-tuning": lambda _: plain(at, training, asked.steps),
            "none": lambda out: ours(at, at.recipe("none"), None, training, asked.steps, out),
        }
        for name in asked.methods:
            method, parameters = METHODS[name]
            recipe = at.recipe(method, **parameters)
            told = at.stored(recipe.teacher_needs(), folder / "knowledge")
            ways[f"{name}, stored"] = lambda out, r=recipe, t=told: ours(at, r, t, training, asked.steps, out)  # type: ignore[misc]
            if asked.live:
                live = live_teacher(at.teacher())
                ways[f"{name}, live"] = lambda out, r=recipe, t=live: ours(at, r, t, training, asked.steps, out)  # type: ignore[misc]
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(asked.turns + 1):  # the first one warms up
            for name, way in ways.items():
                took = way(folder / f"out-{turn}-{len(seconds[name])}-{name.replace(' ', '')}")
                if turn:
                    seconds[name].append(took)
        print(f"CPU-seconds a step, medians of {asked.turns}: {vars(asked)}; mean length {at.train.lengths.mean():.0f}")
        for name, found in seconds.items():
            ratios = [one / rival for one, rival in zip(found, seconds["plain fine-tuning"], strict=True)]
            print(f"{name:20}{statistics.median(found):9.4f}{statistics.median(ratios):8.2f}x")


if __name__ == "__main__":
    main()
