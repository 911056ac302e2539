"""Time and memory of the contextual losses against the published way: ``python -m tests.benchmarks.losses``.

The rival writes each formula in its plain form: difference vectors [K, n, W, W...] for angles and distances, explicit
cosine matrices, one sentence (or token block) at a time where the whole batch would not fit. Both get the same tensors;
their values are compared before they are timed. Memory is the peak of bytes that torch holds above what it held before,
from the profiler's allocation record; time is the median over repeats of forward and backward.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from raykd import losses

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def plain_word_angle(student: Tensor, teacher: Tensor, mask: Tensor, delta: int) -> Tensor:
    """Differences [B, L, W, D] of every layer, their units, and cosines [B, L, W, W]; clamped neighbours."""
    length = student.shape[2]
    offsets = torch.arange(-delta, delta + 1)
    positions = (torch.arange(length).unsqueeze(1) + offsets).clamp(0, length - 1)

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states[:, positions] - states.unsqueeze(2), dim=-1)
        return differences @ differences.transpose(-1, -2)

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + (cosines(ours) - cosines(theirs)).square()[mask.bool()].sum()
    return total / (len(student) * mask.sum() * len(offsets) ** 2)


def plain_word_angle_full(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """The same with every real token for a neighbour, one sentence at a time."""

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states.unsqueeze(0) - states.unsqueeze(1), dim=-1)
        return differences @ differences.transpose(-1, -2)

    total = student.new_zeros(())
    lengths = mask.sum(dim=1).tolist()
    for ours, theirs in zip(student, teacher, strict=True):
        for sentence, real in enumerate(lengths):
            total = total + (cosines(ours[sentence, :real]) - cosines(theirs[sentence, :real])).square().sum()
    return total / (len(student) * sum(real**3 for real in lengths))


def plain_word_distance(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Squared norms of differences [B, L, L, D], normalised, of every layer."""
    pairs = (mask.unsqueeze(1) * mask.unsqueeze(2)).bool()
    others = pairs & ~torch.eye(mask.shape[1], dtype=torch.bool)

    def distances(states: Tensor) -> Tensor:
        squared = (states.unsqueeze(1) - states.unsqueeze(2)).square().sum(dim=-1)
        return squared / ((squared * others).sum(dim=(1, 2), keepdim=True) / others.sum(dim=(1, 2), keepdim=True))

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + (distances(ours) - distances(theirs)).square()[others].sum()
    return total / (len(student) * pairs.sum())


def plain_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Points [M, N, D]: for each i the softmax over the others, as an [M, N, N - 1] tensor; the sum."""
    number = student.shape[1]
    others = torch.tensor([[j for j in range(number) if j != i] for i in range(number)])

    def logs(states: Tensor) -> Tensor:
        similarity = F.cosine_similarity(states.unsqueeze(1), states.unsqueeze(2), dim=-1)
        return similarity.gather(2, others.expand(len(states), -1, -1)).log_softmax(dim=-1)

    return F.kl_div(logs(student), logs(teacher), reduction="sum", log_target=True)


def plain_word_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    lengths = mask.sum(dim=1).tolist()
    total = sum(
        (plain_kl(student[:, b, :real], teacher[:, b, :real]) for b, real in enumerate(lengths)), student.new_zeros(())
    )
    return total / (len(student) * sum(real**2 for real in lengths))


def by_token(states: Tensor, mask: Tensor) -> Tensor:
    return states[:, mask.bool()].transpose(0, 1)


def plain_layer_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    return plain_kl(by_token(student, mask), by_token(teacher, mask)) / (mask.sum() * len(student) ** 2)


def plain_layer_angle(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Differences [n, K, K, D] of the layers of every real token."""

    def cosines(states: Tensor) -> Tensor:
        differences = F.normalize(states.unsqueeze(1) - states.unsqueeze(2), dim=-1)
        return differences @ differences.transpose(-1, -2)

    difference = cosines(by_token(student, mask)) - cosines(by_token(teacher, mask))
    return difference.square().sum() / (mask.sum() * len(student) ** 3)


def rivals(delta: int) -> dict[str, tuple[Loss, Loss]]:
    return {
        "word_pair_kl": (losses.word_pair_kl, plain_word_kl),
        "word_pair_distance": (
            lambda s, t, m: losses.word_pair_distance(s, t, m, normalise=True, penalty="l2"),
            plain_word_distance,
        ),
        f"word_angle delta={delta}": (
            lambda s, t, m: losses.word_angle(s, t, m, delta=delta),
            lambda s, t, m: plain_word_angle(s, t, m, delta),
        ),
        "word_angle full": (lambda s, t, m: losses.word_angle(s, t, m, delta=None), plain_word_angle_full),
        "layer_pair_kl": (losses.layer_pair_kl, plain_layer_kl),
        "layer_angle": (losses.layer_angle, plain_layer_angle),
    }


def measured(loss: Loss, student: Tensor, teacher: Tensor, mask: Tensor, repeats: int) -> tuple[float, float, float]:
    """Value, median seconds, peak MiB."""

    def step() -> float:
        student.grad = None
        value = loss(student, teacher, mask)
        value.backward()
        return value.item()

    value = step()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    student.grad = None
    return value, statistics.median(seconds), _peak(step) / 2**20


def _peak(step: Callable[[], float]) -> int:
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
    sizes = {"batch": 8, "length": 64, "width": 384, "layers": 4, "delta": 10, "repeats": 5, "threads": 1}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"default {size}")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = torch.Generator().manual_seed(0)
    shape = (given.layers, given.batch, given.length, given.width)
    student, teacher = (torch.randn(shape, generator=generator) for _ in range(2))
    lengths = torch.linspace(given.length // 4, given.length, given.batch).long()
    mask = (torch.arange(given.length) < lengths.unsqueeze(1)).long()
    student.requires_grad_()

    print(f"forward and backward, float32, CPU, {given.threads} thread(s): {vars(given)}")
    print(f"{'':24}{'ours':>10}{'plain':>10}{'ratio':>8}{'ours':>11}{'plain':>11}{'ratio':>8}")
    for name, (ours, plain) in rivals(given.delta).items():
        value, seconds, peak = measured(ours, student, teacher, mask, given.repeats)
        plain_value, plain_seconds, plain_peak = measured(plain, student, teacher, mask, given.repeats)
        if abs(value - plain_value) > 1e-4 * abs(plain_value):
            raise SystemExit(f"{name}: ours {value}, plain {plain_value}: they do not compute the same")
        print(
            f"{name:24}{seconds * 1e3:8.1f}ms{plain_seconds * 1e3:8.1f}ms{plain_seconds / seconds:7.1f}x"
            f"{peak:8.1f}MiB{plain_peak:8.1f}MiB{plain_peak / peak:7.1f}x"
        )


if __name__ == "__main__":
    main()
