"""Which texts of the corpus lie near each text of the training split, in the teacher's eyes (Minimax-kNN).

Near is measured by the angle between the teacher's last [CLS] vectors, in units of pi: 0 to 1. Of each training text
the K + SPARE nearest are searched by brute force, which is exact; of those whose angle lies within the thresholds the
K nearest are kept, so a high minimum may leave few or none, as with the published lists of K retrieved. The text
itself is no neighbour of its own, nor a second copy of another: texts are told apart by their tokens, as a vector
differs in its last digits from batch to batch.

In memory meanwhile: [CLS] vectors and logits of corpus and split, float32; hidden states are dropped batch by batch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from raykd.errors import UserError
from raykd.losses.minimax import NOBODY, allowed_neighbours, angular_distance
from raykd.methods.recipe import Fact, Scene
from raykd.methods.seen import LOGITS, needs

NEIGHBOURS = "neighbours"  # a fact: [N, K] int64, rows of the corpus, -1 where a text has fewer
CORPUS_LOGITS = "corpus_logits"  # a fact: [M, C] float32, the teacher's
SPARE = 16  # more than K are searched: the text itself and the thresholds take some away
ROWS = 1024  # training texts whose angles are worked out at a time


@dataclass(frozen=True)
class Near:
    """number: of neighbours kept, K at most. minimum, maximum: their angles, in units of pi; 0 is no threshold."""

    number: int
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Surveyed:
    """The teacher's [CLS] vectors [n, D] and logits [n, C] of a split, and a digest of each row's tokens."""

    vectors: Tensor
    logits: Tensor
    texts: list[bytes]


def neighbours_of(near: Near) -> Fact:
    """The facts NEIGHBOURS and CORPUS_LOGITS."""
    return Fact(f"minimax_knn {near} spare={SPARE}", partial(_found, near))


def _found(near: Near, scene: Scene) -> dict[str, Tensor]:
    """UserError where no text of the split has a neighbour within the thresholds."""
    train, corpus = _surveyed(scene, "train"), _surveyed(scene, "corpus")
    first: dict[bytes, int] = {}  # the first row of each different text of the corpus
    for row, text in enumerate(corpus.texts):
        first.setdefault(text, row)
    different = torch.tensor(list(first.values()))
    itself = torch.tensor([first.get(text, NOBODY) for text in train.texts])
    nearest = different[_nearest(train.vectors, corpus.vectors[different], near.number + SPARE)]  # [N, R]
    distance = torch.cat(
        [
            angular_distance(vectors, corpus.vectors[rows])
            for vectors, rows in zip(train.vectors.split(ROWS), nearest.split(ROWS), strict=True)
        ]
    )
    distance[nearest == itself[:, None]] = 0.0  # which is how a duplicate is known
    every = torch.full((len(nearest),), nearest.shape[1])
    allowed = allowed_neighbours(distance, every, near.number, near.minimum, near.maximum)
    if (allowed == NOBODY).all():
        raise UserError(
            f"corpus: no text lies within min_distance {near.minimum} and max_distance {near.maximum} of a training "
            f"text; the nearest {nearest.shape[1]} of each are {distance.min():.3f} to {distance.max():.3f} away"
        )
    neighbours = nearest.gather(1, allowed.clamp_min(0)).masked_fill(allowed == NOBODY, NOBODY)
    return {NEIGHBOURS: neighbours, CORPUS_LOGITS: corpus.logits}


def _surveyed(scene: Scene, split: str) -> Surveyed:
    layers = (scene.pair.teacher.layers,)
    vectors, logits, texts = [], [], []
    for batch, seen in scene.survey(split, needs("cls", layers) | {LOGITS}):
        vectors.append(seen.of("cls", layers[0]).float().cpu())
        logits.append(seen.logits.float().cpu())
        for ids, mask in zip(batch.input_ids.cpu(), batch.attention_mask.cpu(), strict=True):
            texts.append(hashlib.blake2b(ids[mask.bool()].numpy().tobytes(), digest_size=16).digest())
    return Surveyed(torch.cat(vectors), torch.cat(logits), texts)


def _nearest(vectors: Tensor, others: Tensor, number: int) -> Tensor:
    """[N, min(number, M)]: the indices of those of `others` [M, D] at the smallest angles to `vectors` [N, D]."""
    from sklearn.neighbors import NearestNeighbors

    # Of unit vectors the nearest are those at the smallest angle, and sklearn is quicker and leaner with distances
    # than with its own cosines, for which it normalises the corpus again in every chunk.
    search = NearestNeighbors(n_neighbors=min(number, len(others)), algorithm="brute", metric="euclidean")
    search.fit(F.normalize(others, dim=-1).numpy())
    return torch.from_numpy(search.kneighbors(F.normalize(vectors, dim=-1).numpy(), return_distance=False))
