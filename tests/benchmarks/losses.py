"""Time and memory of the relation losses against the published way: ``python -m tests.benchmarks.losses``.

The rival writes each formula in its plain form (tests/benchmarks/plain_relations.py): difference vectors [K, n, W, D]
for angles and distances, one sentence at a time where the whole batch would not fit. Both get the same tensors, and
their values are compared. Memory is the peak of bytes that torch holds above what it held before, the student's
gradient included, from the profiler's allocation record; time is the median over repeats of forward and backward.

Rows "given": the teacher's side is a table of distances, made before. ``--published`` takes the size of the published
setting; its rivals hold up to 11 GiB, and those that would hold more are left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from raykd import losses
from raykd.losses.distances import layer_distances, word_distances
from raykd.losses.layer_relations import layer_angle_of, layer_pair_of
from raykd.losses.word_relations import word_angle_of, word_pair_of

from . import plain_relations as plain

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Rivals = dict[str, tuple[Loss, Loss]]
SIZES = {"batch": 8, "length": 64, "width": 384, "layers": 4, "delta": 10, "repeats": 5, "threads": 1}
PUBLISHED = {"batch": 32, "length": 128, "width": 768, "layers": 7, "delta": 10, "repeats": 3, "threads": 2}
# Rivals that keep differences of all pairs of words for the backward pass: 20 GiB and more at the published size.
TOO_LARGE = ("word_pair_distance", "word_angle, all", "distances, given")
NORMALISED: dict[str, Any] = {"normalise": True, "penalty": "l2"}


def added(*terms: Loss) -> Loss:
    def total(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        return torch.stack([term(student, teacher, mask) for term in terms]).sum()

    return total


def rivals(delta: int) -> Rivals:
    """Ours and the plain form, by name."""

    def near_angle(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
        return losses.word_angle(s, t, m, delta=delta)

    def plain_near_angle(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
        return plain.plain_word_angle(s, t, m, delta)

    word_kl, layer_kl = (losses.word_pair_kl, plain.plain_word_kl), (losses.layer_pair_kl, plain.plain_layer_kl)
    layer_angle = (losses.layer_angle, plain.plain_layer_angle)
    return {
        "word_pair_kl": word_kl,
        "word_angle": (near_angle, plain_near_angle),
        "layer_pair_kl": layer_kl,
        "layer_angle": layer_angle,
        "ckd, all four": (
            added(word_kl[0], near_angle, layer_kl[0], layer_angle[0]),
            added(word_kl[1], plain_near_angle, layer_kl[1], layer_angle[1]),
        ),
        "word_pair_distance": (
            lambda s, t, m: losses.word_pair_distance(s, t, m, **NORMALISED),
            plain.plain_word_distance,
        ),
        "layer_pair_distance": (
            lambda s, t, m: losses.layer_pair_distance(s, t, m, **NORMALISED),
            plain.plain_layer_distance,
        ),
        "word_angle, all": (lambda s, t, m: losses.word_angle(s, t, m, delta=None), plain.plain_word_angle_full),
        "rkd_distance": (
            lambda s, t, m: losses.rkd_distance(s[-1].flatten(1), t[-1].flatten(1)),
            plain.plain_rkd_distance,
        ),
        "rkd_angle": (lambda s, t, m: losses.rkd_angle(s[-1].flatten(1), t[-1].flatten(1)), plain.plain_rkd_angle),
    }


def given(teacher: Tensor, mask: Tensor, delta: int) -> Rivals:
    """Ours with the teacher's distances at hand, against the plain form of states."""
    every = torch.ones_like(mask)
    layers = len(teacher)
    of_all, of_words = word_distances(teacher, every, 2 * delta), word_distances(teacher, mask, None)
    of_layers = layer_distances(teacher, mask)

    def near_angle(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
        return word_angle_of(word_distances(s, every, 2 * delta), of_all, m, delta=delta)

    def plain_near_angle(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
        return plain.plain_word_angle(s, t, m, delta)

    def all_four(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
        words, across = word_distances(s, m, None), layer_distances(s, m)
        pairs = word_pair_of(words, of_words, m, **NORMALISED) + layer_pair_of(
            across, of_layers, m, layers, **NORMALISED
        )
        return pairs + near_angle(s, t, m) + layer_angle_of(across, of_layers, m, layers)

    return {
        "word_angle, given": (near_angle, plain_near_angle),
        "layer_angle, given": (
            lambda s, t, m: layer_angle_of(layer_distances(s, m), of_layers, m, layers),
            plain.plain_layer_angle,
        ),
        "distances, given": (
            all_four,
            added(plain.plain_word_distance, plain_near_angle, plain.plain_layer_distance, plain.plain_layer_angle),
        ),
    }


def measured(loss: Loss, student: Tensor, teacher: Tensor, mask: Tensor, repeats: int) -> tuple[float, float, float]:
    """Value, median seconds, peak MiB."""
    found = []

    def step() -> None:
        student.grad = None
        value = loss(student, teacher, mask)
        value.backward()
        found.append(value.item())

    peak = peak_bytes(step)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    student.grad = None
    return found[0], statistics.median(seconds), peak / 2**20


def peak_bytes(step: Callable[[], object]) -> int:
    """Bytes: the allocations and releases that the profiler saw, summed in order of time."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    held = peak = 0
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.losses", description=__doc__)
    for name, default in SIZES.items():
        parser.add_argument(f"--{name}", type=int, help=f"default {default}; with --published {PUBLISHED[name]}")
    parser.add_argument("--published", action="store_true", help="the published size instead")
    parser.add_argument("--only", nargs="*", default=[], metavar="ROW", help="rows that begin so")
    parser.add_argument("--ours", action="store_true", help="leave the plain form out")
    args = parser.parse_args()
    chosen = {name: getattr(args, name) for name in SIZES if getattr(args, name) is not None}
    size = {**(PUBLISHED if args.published else SIZES), **chosen}
    torch.set_num_threads(size["threads"])
    generator = torch.Generator().manual_seed(0)
    shape = (size["layers"], size["batch"], size["length"], size["width"])
    student, teacher = (torch.randn(shape, generator=generator) for _ in range(2))
    lengths = torch.linspace(size["length"] // 4, size["length"], size["batch"]).long()
    mask = (torch.arange(size["length"]) < lengths.unsqueeze(1)).long()
    student.requires_grad_()

    print(f"forward and backward, float32, CPU: {size}")
    print(f"{'':24}{'ours':>10}{'plain':>10}{'ratio':>8}{'ours':>11}{'plain':>11}{'ratio':>8}")
    for name, (ours, rival) in {**rivals(size["delta"]), **given(teacher, mask, size["delta"])}.items():
        if args.only and not name.startswith(tuple(args.only)):
            continue
        value, seconds, peak = measured(ours, student, teacher, mask, size["repeats"])
        if args.ours or (args.published and name in TOO_LARGE):
            print(f"{name:24}{seconds * 1e3:8.1f}ms{'':18}{peak:8.1f}MiB")
            continue
        plain_value, plain_seconds, plain_peak = measured(rival, student, teacher, mask, size["repeats"])
        if abs(value - plain_value) > 1e-4 * abs(plain_value):
            raise SystemExit(f"{name}: ours {value}, plain {plain_value}: they do not compute the same")
        print(
            f"{name:24}{seconds * 1e3:8.1f}ms{plain_seconds * 1e3:8.1f}ms{plain_seconds / seconds:7.1f}x"
            f"{peak:8.1f}MiB{plain_peak:8.1f}MiB{plain_peak / peak:7.1f}x",
            flush=True,
        )


if __name__ == "__main__":
    main()
