"""New sentences by chance replacement, and the rows they make (TinyBERT, algorithm 1)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Literal

Pairs = Literal["original", "published"]


def variants(
    sentence: str,
    tokens: Sequence[str],
    candidates: Mapping[int, Sequence[str]],
    *,
    attempts: int,
    probability: float,
    chance: random.Random,
) -> list[str]:
    """The sentence, then the different results of `attempts` attempts: at most attempts + 1 sentences.

    tokens: its basic tokens; candidates: by the number of the token, in order, none of them empty. For each of those,
    first a candidate is drawn, then whether it is taken, both from `chance`. A result seen before is dropped, and uses
    up its attempt. A result without any replacement is the sentence in its tokens (lower-cased, punctuation apart).
    """
    found = {sentence: None}  # a dict keeps the order
    if not tokens:
        return [sentence]
    for _ in range(attempts):
        words = list(tokens)
        for number, choices in candidates.items():
            candidate = chance.choice(choices)
            if chance.random() < probability:
                words[number] = candidate
        found.setdefault(" ".join(words))
    return list(found)


def expand(texts: Sequence[Sequence[str]], pairs: Pairs) -> list[tuple[str, ...]]:
    """The rows that come of one row, itself first. texts: for each of its texts, the text and its variants.

    Of two texts one varies at a time, the first one first. pairs "original": while the second varies, the first is the
    original, as the papers say. "published": it is the first one's last variant, also beside the unchanged second one
    (a slip of TinyBERT's published code, which CKD's shares).
    """
    if len(texts) == 1:
        return [(text,) for text in texts[0]]
    first, second = texts
    rows: list[tuple[str, ...]] = [(text, second[0]) for text in first]
    if pairs == "original":
        return rows + [(first[0], text) for text in second[1:]]
    return rows + [(first[-1], text) for text in second]
