"""How cost grows with work: ``python -m tests.benchmarks.growth [--plot growth.png]``.

Contextual KD's four terms of distances (forward and backward of the student, the teacher's distances given) over the
length of a text, the window and the number of matched layers; beside them the student's own hidden states are made by
nothing, so this is the loss alone. CPU-seconds, medians of turns that alternate between the sizes. The exponent is the
slope of a straight line through the logarithms.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from raykd.losses.distances import layer_distances, word_distances
from raykd.losses.layer_relations import layer_angle_of, layer_pair_of
from raykd.losses.word_relations import word_angle_of, word_pair_of
from raykd.methods.ckd import DISTANCE

USUAL = {"length": 128, "delta": 10, "layers": 7}
AXES = {"length": (64, 128, 256, 512), "delta": (2, 5, 10, 20), "layers": (3, 5, 7, 9, 12)}


def step(batch: int, width: int, length: int, delta: int, layers: int) -> float:
    """CPU-seconds of the loss and its gradient."""
    generator = torch.Generator().manual_seed(0)
    shape = (layers, batch, length, width)
    student = torch.randn(shape, generator=generator).requires_grad_()
    teacher = torch.randn(shape, generator=generator)
    mask = torch.ones(batch, length, dtype=torch.long)
    with torch.no_grad():
        told = torch.stack([word_distances(states, mask, 2 * delta) for states in teacher])
        told_layers = layer_distances(teacher, mask)
    started = time.process_time()
    words = torch.stack([word_distances(states, mask, 2 * delta) for states in student])
    across = layer_distances(student, mask)
    loss = word_pair_of(words, told, mask, **DISTANCE, delta=delta, layer_reduction="sum")
    loss = loss + word_angle_of(words, told, mask, delta=delta, neighbours="valid", layer_reduction="sum")
    loss = loss + layer_pair_of(across, told_layers, mask, layers, **DISTANCE)
    loss = loss + layer_angle_of(across, told_layers, mask, layers)
    loss.backward()
    return time.process_time() - started


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=int, default=312)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    found: dict[str, tuple[list[int], list[float]]] = {}
    for axis, values in AXES.items():
        took: dict[int, list[float]] = {value: [] for value in values}
        for turn in range(asked.turns + 1):  # the first one warms up
            for value in values:
                seconds = step(asked.batch, asked.width, **{**USUAL, axis: value})
                if turn:
                    took[value].append(seconds)
        sizes = [2 * value + 1 if axis == "delta" else value for value in values]
        medians = [statistics.median(took[value]) for value in values]
        found["window" if axis == "delta" else axis] = sizes, medians
    print(f"CPU-seconds of contextual KD's loss, forward and backward: {vars(asked)}, else {USUAL}")
    for name, (sizes, medians) in found.items():
        told = "  ".join(f"{size}: {one * 1e3:.0f} ms" for size, one in zip(sizes, medians, strict=True))
        print(f"{name:8}{told}   exponent {exponent(sizes, medians):.2f}")
    if asked.plot:
        draw(found, asked.plot)


def draw(found: dict[str, tuple[list[int], list[float]]], file: Path) -> None:
    """One panel an axis, both scales logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for panel, (name, (sizes, medians)) in zip(figure.subplots(1, len(found), sharey=True), found.items(), strict=True):
        panel.loglog(sizes, medians, "o-")
        panel.set(xlabel=name, xticks=sizes, xticklabels=sizes, title=f"exponent {exponent(sizes, medians):.2f}")
        panel.minorticks_off()
        panel.set_ylabel("CPU-seconds" if name == "length" else "")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
