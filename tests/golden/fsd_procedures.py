"""How ``fsd/`` makes the teacher's memory, and MiniLM's relations as its page writes them."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from raykd.losses.attention_relations import relation
from raykd.losses.centroids import flatten_features
from raykd.losses.clustering import kmeans, published_memory, published_spread

from .fsd_objectives import Results, Setting


def published(_: re.Match[str], setting: Setting) -> Results:
    batches = _batches(setting, int(setting.number("batch_size")))
    mean, std = published_spread(batches())
    start = torch.from_numpy(setting.arrays["init_centroid"])
    memory = published_memory(batches, start, int(setting.number("epochs")))
    return {
        "init_mean": torch.tensor(mean, dtype=torch.float64),
        "init_std": torch.tensor(std, dtype=torch.float64),
        "centroid": memory.centroids,
        **{f"assign_epoch{number}": chosen for number, chosen in memory.assignments.items()},
    }


def lloyd(_: re.Match[str], setting: Setting) -> Results:
    """Any size of batches must give the reference; the code itself has all examples at once, and no limit of passes."""
    rows = torch.from_numpy(setting.arrays["init_rows"])
    batches = _batches(setting, 3)
    memory = kmeans(batches, torch.cat(list(batches()))[rows], epochs=1000, tolerance=setting.number("tol"))
    (chosen,) = memory.assignments.values()
    return {"assign": chosen, "centres": memory.centroids}


def _batches(setting: Setting, size: int) -> Callable[[], tuple[Tensor, ...]]:
    corpus = setting.tensors["corpus"]
    rows = flatten_features(corpus, None, corpus.shape[1])
    return lambda: rows.split(size)


def relations(_: re.Match[str], setting: Setting) -> Results:
    query, key, value = (torch.from_numpy(setting.arrays[name]) for name in ("query", "key", "value"))
    mask = setting.tensors["attention_mask"]
    every = torch.ones_like(mask)
    attention = relation(query, key, mask).exp()
    # The code masks keys only; rows of padding, which raykd leaves undefined, need the score it adds to masked keys.
    scores = relation(query, key, every) - 10000.0 * (1 - mask)[:, None, None, :]
    attention = torch.where(mask.bool()[:, None, :, None], attention, scores.softmax(dim=-1))
    return {"attention_probs": attention, "value_relation": relation(value, value, every).exp()}
