"""How each kind of need is kept on disk: how many numbers a row of n tokens takes, and of which type.

Nothing of padding is stored, so a row is the same whatever batch it comes in. Distances are squared in memory and kept
as their roots: a squared distance may lie beyond float16, and its relative error, at most 2^-10, comes from rounding
the root by 2^-11.

In float16 a score of a relation, and with it the logarithm of its probability, is off by at most 2^-11 of the score:
by 0.008 where that is 16. A relation of two equal letters is symmetric, and half of it is kept.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

import numpy as np

from raykd.methods.seen import Kind, Need

FORMAT = 1  # part of every key: raise it when what is on disk changes its meaning

Precision = Literal["float16", "float32"]
# What a row is: numbers of the row itself; of each token; of each token, an answer's start and end; of each token and
# those after it; of each head and pair of tokens; of each pair of tokens, where (i, j) and (j, i) are the same, and of
# each head and such pair.
Layout = Literal["row", "token", "span", "band", "pair", "triangle", "triangles"]

ROOTED: frozenset[Kind] = frozenset({"word_distances", "layer_distances"})
READABLE = 80  # characters of a name, before its hash


@dataclass(frozen=True)
class Facts:
    """What sizes depend on."""

    hidden: int
    heads: int
    outputs: int  # logits of a row; not looked at for spans
    spans: bool = False
    projected: int | None = None  # width of queries, keys and values of all heads together, where it is not `hidden`


@dataclass(frozen=True)
class Form:
    """How one need is kept; `width` is the numbers of a row, token or pair, or the reach of a band."""

    need: Need
    layout: Layout
    width: int
    precision: Precision

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers on disk, little-endian."""
        return np.dtype("<f2" if self.precision == "float16" else "<f4")

    @property
    def rooted(self) -> bool:
        """Whether roots are kept of what is asked for."""
        return self.need.kind in ROOTED

    def numbers(self, lengths: np.ndarray) -> np.ndarray:
        """How many numbers rows of so many tokens take: [N] int64 for lengths [N]."""
        n = np.asarray(lengths, dtype=np.int64)
        match self.layout:
            case "row":
                return np.full_like(n, self.width)
            case "token" | "span":
                return n * self.width
            case "band":  # a row has no tokens further apart than n - 1
                return n * np.minimum(self.width, np.maximum(n - 1, 0))
            case "pair":
                return n * n * self.width
            case "triangle" | "triangles":
                return n * (n + 1) // 2 * self.width


def form(need: Need, facts: Facts, precision: Precision = "float16") -> Form:
    """The form of `need`. ValueError for one that no store can hold, or that asks for nothing."""
    if need.padding:
        raise ValueError(f"{readable(need)} looks at positions of padding, which depend on the batch")
    layouts: dict[Kind, tuple[Layout, int]] = {
        "logits": ("span", 2) if facts.spans else ("row", facts.outputs),
        "hidden": ("token", facts.hidden),
        "cls": ("row", facts.hidden),
        "query": ("token", facts.projected or facts.hidden),
        "key": ("token", facts.projected or facts.hidden),
        "value": ("token", facts.projected or facts.hidden),
        "scores": ("pair", facts.heads),
        "attention": ("pair", facts.heads),
        "word_distances": ("band", need.reach),
        "layer_distances": ("token", len(need.layers) * (len(need.layers) - 1) // 2),
        "word_gram": ("triangle", 1),
        "relation": ("triangles" if len(set(need.letters)) == 1 else "pair", need.heads),
    }
    layout, width = layouts[need.kind]
    if width < 1:
        raise ValueError(f"{readable(need)} asks for no numbers at all")
    return Form(need, layout, width, kept_precision(need, precision))


def bytes_of(need: Need, facts: Facts, lengths: np.ndarray, precision: Precision = "float16") -> int:
    """Bytes that `need` takes for rows of these lengths, up to the seals (48 bytes a shard)."""
    of = form(need, facts, precision)
    return int(of.numbers(lengths).sum()) * of.dtype.itemsize


def kept_precision(need: Need, precision: Precision) -> Precision:
    """Logits are few and matter most: always float32."""
    return "float32" if need.kind == "logits" else precision


def readable(need: Need) -> str:
    """For names and messages: ``word_distances-6-r20``, ``layer_distances-0-4-8``, ``relation-12-qk-h12``."""
    layer = [] if need.layer == Need("logits").layer else [need.layer]
    reach, heads = (
        [f"{letter}{number}"] if number else [] for letter, number in (("r", need.reach), ("h", need.heads))
    )
    return "-".join(map(str, [need.kind, *layer, *need.layers, *reach, *filter(None, [need.letters]), *heads]))


def name(need: Need, teacher: str, data: str, precision: Precision) -> str:
    """The folder of a part: readable, then a hash of all that its content depends on.

    teacher: digest of the weights; data: key of the tokenised split.
    """
    content = json.dumps([FORMAT, teacher, data, described(need), kept_precision(need, precision)], sort_keys=True)
    return f"{readable(need)[:READABLE]}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def described(need: Need) -> dict[str, Any]:
    """For JSON: the fields that differ from their defaults, so a field that Need gains later changes no old name."""
    given = {field.name: getattr(need, field.name) for field in fields(need) if field.default is not MISSING}
    usual = {field.name: field.default for field in fields(need)}
    return {"kind": need.kind} | {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in given.items()
        if value != usual[field]
    }


def from_description(description: dict[str, Any]) -> Need:
    """The need that `described` gave. Raises TypeError for fields that Need does not know."""
    return Need(**(description | {"layers": tuple(description.get("layers", ()))}))
