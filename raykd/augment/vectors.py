"""Word vectors, from a GloVe file or a model's own embeddings, and the words nearest to a word by cosine."""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from raykd.augment.masked_lm import MaskedLM
from raykd.augment.words import plain
from raykd.errors import UserError

CELLS = 32_000_000  # cosines computed at a time: 128 MB


@dataclass(frozen=True)
class WordVectors:
    """N words and where they lie."""

    words: Sequence[str]
    unit: Tensor
    """`[N, D]` float32, rows of length 1 (or 0)."""
    embed: Callable[[str], Tensor | None]
    """From any word to its vector `[D]`, of any length; None where there is none."""

    def nearest(self, words: Sequence[str], count: int) -> dict[str, list[str]]:
        """The `count` nearest of each word by cosine, nearest first, the word itself left out.

        A word without a vector is left out of the result.
        """
        found = {word: vector for word in dict.fromkeys(words) if (vector := self.embed(word)) is not None}
        names = list(found)
        most = min(count + 1, len(self.words))  # one more, as the word itself is mostly among them
        result = {}
        step = max(1, CELLS // max(1, len(self.words)))
        for start in range(0, len(names), step):
            batch = names[start : start + step]
            cosines = unit_rows(torch.stack([found[name] for name in batch])) @ self.unit.T  # [W, N]
            for name, near in zip(batch, cosines.topk(most, dim=1).indices.tolist(), strict=True):
                result[name] = [word for word in (self.words[index] for index in near) if word != name][:count]
        return result


def unit_rows(matrix: Tensor) -> Tensor:
    """Rows `[N, D]` divided by their length; rows of zeros stay."""
    return matrix / matrix.norm(dim=1, keepdim=True).clamp_min(1e-12)


def known_words(words: Sequence[str], unit: Tensor) -> WordVectors:
    """Vectors of these words alone: all others have none. Of a word that comes twice the first vector counts."""
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)

    def embed(word: str) -> Tensor | None:
        return unit[rows[word]] if word in rows else None

    return WordVectors(words, unit, embed)


def from_glove(file: Path) -> WordVectors:
    """The vectors in a text file: a line is a word and D numbers, separated by spaces.

    A first line of two numbers (word2vec's text form) is skipped. A word may hold spaces, as in some GloVe files.
    Raises UserError with the line's number: no numbers, another D than the line before, a number that is not finite.
    """
    words: list[str] = []
    numbers = array("f")
    width = 0
    try:
        # newline: Python would also split at the carriage returns that some words hold
        with file.open(encoding="utf-8", errors="replace", newline="\n") as lines, warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # NumPy's way of saying that a text is no number
            for count, line in enumerate(lines, start=1):
                fields = line.rstrip().split(" ")
                if count == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
                    continue
                width = width or len(fields) - 1
                vector = _numbers(" ".join(fields[-width:])) if width else None
                if len(fields) <= width or vector is None or len(vector) != width or not np.isfinite(vector).all():
                    raise UserError(
                        f"word vectors '{file}', line {count}: expected a word and {width or 'some'} finite numbers, "
                        f"found '{line.rstrip()[:60]}'"
                    )
                words.append(" ".join(fields[:-width]))
                numbers.frombytes(vector.tobytes())
    except OSError as error:
        raise UserError(f"word vectors '{file}' cannot be read: {error}") from error
    if not words:
        raise UserError(f"word vectors '{file}': the file holds no vectors")
    return known_words(words, unit_rows(torch.frombuffer(numbers, dtype=torch.float32).view(len(words), width)))


def from_model(lm: MaskedLM) -> WordVectors:
    """The model's input embeddings: of whole words of the letters a to z; a word of several pieces has their mean."""
    embeddings: Any = lm.model.get_input_embeddings()
    table: Tensor = embeddings.weight.detach().float().cpu()
    vocabulary, tokenizer = lm.vocabulary, lm.tokenizer
    ids: dict[str, int] = {}
    for index, word in enumerate(vocabulary.words):
        if plain(word) and not vocabulary.continues[index] and index not in vocabulary.barred:
            ids.setdefault(word, index)

    def embed(word: str) -> Tensor | None:
        if word in ids:
            return table[ids[word]]
        # the space makes it the beginning of a word for tokenizers that mark those
        pieces = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        return table[pieces].mean(dim=0) if pieces and tokenizer.unk_token_id not in pieces else None

    return WordVectors(list(ids), unit_rows(table[list(ids.values())]), embed)


def _numbers(text: str) -> np.ndarray | None:
    try:
        return np.fromstring(text, dtype=np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None
