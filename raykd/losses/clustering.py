"""The teacher's memory for FSD_G (Jung et al.): centroids of its features, in passes over batches of them.

Flattened features are large, so they are never held together: ``batches`` is a function that starts a pass and gives
feature batches [b, F], on the device of ``init`` and in the same order every time; tensors of their own, as a few small
batches are held at once. Memory for a few [M, F] and a few blocks of 64 rows (or of one batch, if that is larger).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .centroids import about_mean, squared_distances_to
from .precision import widened

Batches = Callable[[], Iterable[Tensor]]

# A product of 64 rows with all centroids reads those once; row by row they are read 64 times, which is all of the time.
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Memory:
    """Centroids [M, F], and for the passes that assigned, by their number, each example's centroid [N]."""

    centroids: Tensor
    assignments: dict[int, Tensor]


def published_spread(batches: Iterable[Tensor]) -> tuple[float, float]:
    """Mean and standard deviation of the normal distribution the published procedure draws its centroids from.

    mean(last batch) / S and sqrt(mean over the last batch of the unbiased variance within an example / S), S being the
    number of batches: the running averages of the code start afresh with each batch. Raises ValueError without a batch.
    """
    number, last = 0, torch.zeros(0)
    for features in batches:
        number, last = number + 1, features
    if not number:
        raise ValueError("no batch of features to start a memory from")
    (last,) = widened(last)
    return (last.mean() / number).item(), (last.var(dim=-1).mean() / number).sqrt().item()


@torch.no_grad()
def published_memory(batches: Batches, init: Tensor, epochs: int) -> Memory:
    """The published procedure from ``init`` [M, F], which is its pass 0; ``epochs`` counts that pass too.

    Odd passes assign every example to its nearest centroid. Even passes move the centroids, which start at 0 the first
    time, example by example: c <- ((k + 1) c + x) / (k + 2), with k members of c already seen in this *batch*. So it is
    no k-means: with batches of one, c <- (c + x) / 2. A centroid without members stays what it is (0).
    """
    (centroids,) = widened(init)
    assignments: dict[int, Tensor] = {}
    nearest: Tensor | None = None
    for epoch in range(1, epochs):
        if epoch % 2:
            nearest_of = _finder(centroids)
            nearest = torch.cat([nearest_of(block)[0] for block in _blocks(batches())])
            assignments[epoch] = nearest
        elif nearest is not None:
            if epoch == 2:
                centroids = torch.zeros_like(centroids)
            _published_move(batches(), centroids, nearest)
    return Memory(centroids, assignments)


def _published_move(batches: Iterable[Tensor], centroids: Tensor, nearest: Tensor) -> None:
    """In place: a batch moves only the centroids that it has members of, and of the others nothing is read."""
    start = 0
    for features in batches:
        chosen = nearest[start : start + len(features)]
        start += len(features)
        # The members x_1 .. x_n of one batch together: c <- (c + x_1 + ... + x_n) / (n + 1).
        touched, members = chosen.unique(return_counts=True)
        centroids.index_add_(0, chosen, features.to(centroids.dtype))
        centroids[touched] /= (members + 1).unsqueeze(-1)


@torch.no_grad()
def kmeans(batches: Batches, init: Tensor, epochs: int, tolerance: float) -> Memory:
    """Lloyd's iterations from centroids ``init`` [M, F], ``epochs`` passes at most.

    Stops after a pass in which (sum of the distances the centroids moved)^2 < ``tolerance``, as the k-means shipped
    with FSD's code does. ``assignments`` holds the last pass, counted from 1: those the centroids are the means of.

    Empty clusters take the place of the examples farthest from their centroids, one each, so that none stays dead; with
    fewer such examples (equal ones) than empty clusters, the rest stay where they are.
    """
    (centroids,) = widened(init)
    assignments: dict[int, Tensor] = {}
    for epoch in range(1, epochs + 1):
        moved, nearest = _lloyd(batches(), centroids)
        shift = (moved - centroids).norm(dim=-1).sum()
        centroids, assignments = moved, {epoch: nearest}
        if shift.square() < tolerance:
            break
    return Memory(centroids, assignments)


def _lloyd(batches: Iterable[Tensor], centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The means of each centroid's members [M, F], and the assignments [N]."""
    nearest_of = _finder(centroids)
    moves, totals = torch.zeros_like(centroids), centroids.new_zeros(len(centroids))
    far, how_far = centroids[:0], centroids.new_zeros(0)
    assigned = []
    for features in _blocks(batches):
        chosen, squared = nearest_of(features)
        assigned.append(chosen)
        totals.index_add_(0, chosen, torch.ones_like(totals[chosen]))
        # Summed about the centroids, not the origin: float32 loses digits in sums of many large numbers.
        moves.index_add_(0, chosen, centroids[chosen].neg_().add_(features))

        # As many of the farthest as are needed should no centroid get its first member any more.
        before = len(how_far)
        how_far = torch.cat([how_far, squared])
        how_far, kept = how_far.topk(min(int((totals == 0).sum()), len(how_far)))
        if bool((kept >= before).any()):  # rarely, once most of the pass is over
            far = torch.cat([far, features.to(far.dtype)])
        far = far[kept]
    means = moves.div_(totals.clamp_min(1).unsqueeze(-1)).add_(centroids)
    empty = (totals == 0).nonzero().squeeze(-1)
    substitutes = far[how_far > 0][: len(empty)]
    means[empty[: len(substitutes)]] = substitutes
    return means, torch.cat(assigned)


def draw_rows(batches: Iterable[Tensor], number: int, generator: torch.Generator) -> Tensor:
    """``number`` different examples [number, F] drawn evenly in one pass: where k-means starts.

    Every example gets a random key, and those with the highest keys are kept.
    ``generator`` is one of the CPU. Raises ValueError where there are fewer examples.
    """
    keys, rows = torch.zeros(0), None
    for features in batches:
        before = len(keys)
        keys = torch.cat([keys, torch.rand(len(features), generator=generator)])
        keys, kept = keys.topk(min(number, len(keys)))
        if rows is None:
            rows = features[kept.to(features.device)]
        elif bool((kept >= before).any()):  # rarely, once most of the pass is over
            rows = torch.cat([rows, features])[kept.to(features.device)]
    if rows is None or len(rows) < number:
        raise ValueError(f"{number} centroids wanted of {0 if rows is None else len(rows)} examples")
    return rows


def _blocks(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """The same examples in the same order, small batches joined to blocks of 64 rows or a little more."""
    held: list[Tensor] = []
    for features in batches:
        held.append(features)
        if sum(map(len, held)) >= _ROWS_AT_ONCE:
            yield torch.cat(held) if len(held) > 1 else held[0]
            held = []
    if held:
        yield torch.cat(held)


def _finder(centroids: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """What finds the nearest centroid of each example [b] (the first among equals), and the squared distance to it [b].

    Centroids stay as they are during a pass, so they are centred and their norms taken once for all of its batches.
    """
    memory = about_mean(centroids)
    # Products with equal centroids may differ by rounding: a later one would win over the first.
    first = (memory.squared_norms == memory.squared_norms.unsqueeze(-1)).byte().argmax(dim=-1)
    later = (first != torch.arange(len(first), device=first.device)).nonzero().squeeze(-1)
    differ = (centroids[later] != centroids[first[later]]).any(dim=-1)
    first[later[differ]] = later[differ]

    def nearest_of(features: Tensor) -> tuple[Tensor, Tensor]:
        squared, chosen = squared_distances_to(memory, features).min(dim=-1)
        return first[chosen], squared

    return nearest_of
