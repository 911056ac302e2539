"""Time of FSD_G's clustering against the plain way: ``python -m tests.benchmarks.clustering``.

The rival finds nearest centroids by ``torch.cdist``, batch by batch as they come (single examples in the published
procedure, which is how the method runs it), moves published centroids one example at a time and takes k-means' means as
sums over counts. Both get the same rows, and must end with the same centroids. Time is the median over repeats, per
example and pass over them; ours and the rival take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from raykd.losses.clustering import Batches, kmeans, published_memory


def plain_published(batches: Batches, init: Tensor) -> Tensor:
    """Draw, assign, move: each example pulls its centroid by a half, as the code does with batches of one."""
    nearest = [int(torch.cdist(example, init).argmin()) for example in batches()]
    centroids = torch.zeros_like(init)
    for example, number in zip(batches(), nearest, strict=True):
        centroids[number] = (centroids[number] + example[0]) / 2
    return centroids


def plain_kmeans(batches: Batches, init: Tensor) -> Tensor:
    """One pass; no centroid may lose all of its members."""
    sums, counts = torch.zeros_like(init), torch.zeros(len(init), 1)
    for features in batches():
        chosen = torch.cdist(features, init).argmin(dim=1)
        sums.index_add_(0, chosen, features)
        counts.index_add_(0, chosen, torch.ones(len(features), 1))
    return sums / counts


def medians(ours: Callable[[], Tensor], plain: Callable[[], Tensor], repeats: int) -> tuple[float, float]:
    """Seconds. SystemExit where the two differ."""
    if not torch.allclose(ours(), plain(), rtol=1e-4, atol=1e-5):
        raise SystemExit("ours and the plain way end with different centroids")
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for way, kept in zip((ours, plain), seconds, strict=True):
            start = time.perf_counter()
            way()
            kept.append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.clustering", description=__doc__)
    sizes = {"rows": 512, "singles": 128, "centroids": 100, "features": 128 * 768, "batch": 64}
    sizes |= {"repeats": 5, "threads": 1}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"default {size}")
    given = parser.parse_args()
    singles = min(given.singles, given.rows)  # the rival takes its time over them
    if given.rows < given.centroids:
        parser.error(f"--rows {given.rows}: k-means starts from {given.centroids} of them")
    torch.set_num_threads(given.threads)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(given.rows, given.features, generator=generator)
    drawn = torch.randn(given.centroids, given.features, generator=generator)
    first = rows[: given.centroids]

    def single() -> tuple[Tensor, ...]:
        return rows[:singles].split(1)

    def batched() -> tuple[Tensor, ...]:
        return rows.split(given.batch)

    pairs: dict[str, tuple[int, Callable[[], Tensor], Callable[[], Tensor]]] = {
        "published, one by one": (
            2 * singles,
            lambda: published_memory(single, drawn, 3).centroids,
            lambda: plain_published(single, drawn),
        ),
        f"k-means, batches of {given.batch}": (
            given.rows,
            lambda: kmeans(batched, first, 1, 0.0).centroids,
            lambda: plain_kmeans(batched, first),
        ),
    }
    print(f"milliseconds an example and pass, float32, CPU, {given.threads} thread(s): {vars(given)}")
    print(f"{'':26}{'ours':>10}{'plain':>10}{'ratio':>8}")
    for name, (examples, ours, plain) in pairs.items():
        seconds, plain_seconds = medians(ours, plain, given.repeats)
        each = 1e3 / examples
        print(f"{name:26}{seconds * each:8.2f}ms{plain_seconds * each:8.2f}ms{plain_seconds / seconds:7.1f}x")


if __name__ == "__main__":
    main()
