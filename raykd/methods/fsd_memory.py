"""The memories of FSD_G (Jung et al. 2023): the teacher's, worked out once, and the student's, which trains beside it.

A memory holds M centroids of a network's flattened features, [M, length * D]: row vectors of one length, so every
text is padded to the longest of the training split (``Scene.length``). M is `centroids`, or the number of rows where
the split has fewer; for spans a row is a window.

The teacher's memory is clustered from its features of the whole split, in passes of the teacher over it; one batch of
features and a few [M, length * D] are held at a time.

* "kmeans" (default): Lloyd's iterations from M rows drawn evenly, one pass to draw and `clustering_epochs` at most to
  move; no centroid stays without members while there are other rows to take. The paper speaks of clustering, and the
  published code ships with these iterations without using them.
* "published": the procedure that the code does use, on single rows as there. The first epoch draws Normal centroids,
  the second assigns every row, the third moves: c <- (c + x) / 2 for each row in turn, a moving average whose last few
  members are all that count. Centroids without members are 0.

The student's memory is random at first: Normal(0, 0.02) in "paper" (which only says random), as BERT's own tables;
Normal(0, 1) in "code", the default of the embedding table it is there. M = 100, 128 tokens and 768 dimensions make
39 MB, five times over: the teacher's; the student's, its gradient and its two moments in the optimiser.

Flattening takes for granted that texts are padded on the right, as every supported encoder's are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.losses.centroids import flatten_features
from raykd.losses.clustering import draw_rows, kmeans, published_memory, published_spread
from raykd.methods.recipe import Fact, Scene
from raykd.methods.seen import hidden
from raykd.seeds import derive_seed

TEACHER_MEMORY = "teacher_memory"  # a fact
STUDENT_MEMORY = "student_memory"  # an extra
SEED = 0  # of the drawn rows or centroids: a generator of their own, so that trials share the memory
TOLERANCE = 1e-4  # of k-means, on the squared sum of the distances that centroids move
PUBLISHED_EPOCHS = 3  # draw, assign, move


@dataclass(frozen=True)
class Clustering:
    """How the teacher's memory is made from the states of its `layer`; masked: padding is zero in the features."""

    layer: int
    kind: Literal["kmeans", "published"]
    centroids: int
    epochs: int
    masked: bool


class StudentMemory(nn.Module):
    """Centroids [M, length * D] that train with the student, from Normal(0, spread)."""

    def __init__(self, centroids: int, features: int, spread: float) -> None:
        super().__init__()
        self.centroids = nn.Parameter(torch.randn(centroids, features) * spread)

    def forward(self) -> Tensor:
        return self.centroids


def teacher_memory(clustering: Clustering) -> Fact:
    """The fact TEACHER_MEMORY: [M, length * D_t] float32, M = min(centroids, rows of the split)."""
    return Fact(f"fsd {clustering} seed={SEED}", partial(_clustered, clustering))


def student_memory(clustering: Clustering) -> Callable[[Scene], StudentMemory]:
    """Makes the extra STUDENT_MEMORY, [M, length * D_s], of as many centroids as the teacher's."""

    def make(scene: Scene) -> StudentMemory:
        spread = 0.02 if clustering.masked else 1.0
        return StudentMemory(_number(clustering, scene), scene.length * scene.pair.student.hidden, spread)

    return make


def check_clustering(kind: str, epochs: int) -> None:
    """UserError where the published procedure would end before it moves a centroid."""
    if kind == "published" and epochs < PUBLISHED_EPOCHS:
        raise UserError(
            f"clustering_epochs: {epochs} leaves the published procedure's centroids random; "
            f"give {PUBLISHED_EPOCHS} (draw, assign, move) or more"
        )


def features(states: Tensor, mask: Tensor | None, memory: Tensor) -> Tensor:
    """States [B, L, D] flattened to the length of a memory's centroids [M, length * D]; padding zero with a mask."""
    return flatten_features(states, mask, memory.shape[1] // states.shape[-1])


def _clustered(clustering: Clustering, scene: Scene) -> dict[str, Tensor]:
    number, generator = _number(clustering, scene), torch.Generator().manual_seed(derive_seed(SEED, "fsd centroids"))
    batches = partial(_features, clustering, scene)
    if clustering.kind == "kmeans":
        start = draw_rows(batches(), number, generator)
        return {TEACHER_MEMORY: kmeans(batches, start, clustering.epochs, TOLERANCE).centroids}

    def rows() -> Iterator[Tensor]:
        for batch in batches():
            yield from batch.split(1)

    first = next(rows())
    mean, deviation = published_spread(rows())
    drawn = torch.randn(number, first.shape[1], generator=generator).to(first.device) * deviation + mean
    return {TEACHER_MEMORY: published_memory(rows, drawn, clustering.epochs).centroids}


def _features(clustering: Clustering, scene: Scene) -> Iterator[Tensor]:
    """One pass of the teacher over the training split: features [b, length * D_t], batch by batch."""
    layers = (clustering.layer,)
    for batch, seen in scene.survey("train", hidden(layers)):
        mask = batch.attention_mask if clustering.masked else None
        yield flatten_features(seen.of("hidden", clustering.layer).float(), mask, scene.length)


def _number(clustering: Clustering, scene: Scene) -> int:
    return min(clustering.centroids, scene.rows)
