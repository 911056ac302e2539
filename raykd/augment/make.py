"""Variants of sentences, made with a language model and word vectors that are loaded when first wanted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from raykd.augment.candidates import Candidates, masked_inputs, predict
from raykd.augment.masked_lm import MaskedLM, load_masked_lm
from raykd.augment.sentences import variants
from raykd.augment.settings import Augmentation
from raykd.augment.vectors import WordVectors, from_glove, from_model
from raykd.augment.words import Token, basic_tokens, eligible
from raykd.progress import Advance


class Maker:
    """folder: of the language model; glove: the file of word vectors, None for the model's own embeddings."""

    def __init__(self, settings: Augmentation, folder: Path, glove: Path | None) -> None:
        self._settings = settings
        self._folder = folder
        self._glove = glove

    @cached_property
    def _lm(self) -> MaskedLM:
        return load_masked_lm(self._folder)

    @cached_property
    def _vectors(self) -> WordVectors:
        return from_model(self._lm) if self._glove is None else from_glove(self._glove)

    def make(self, sentences: Sequence[str], first: int, advance: Advance) -> list[list[str]]:
        """The variants of each sentence, itself first. first: the number of the first one; a sentence's draws depend
        on its number and the seed alone. advance: told how many more are done, after each batch of the
        model.
        """
        tokens = [basic_tokens(sentence) for sentence in sentences]
        result = []
        for place, choices in enumerate(self._candidates(sentences, tokens, advance)):
            result.append(
                variants(
                    sentences[place],
                    [token.text for token in tokens[place]],
                    choices,
                    attempts=self._settings.attempts,
                    probability=self._settings.probability,
                    chance=random.Random(f"{self._settings.seed}:{first + place}"),
                )
            )
        return result

    def _candidates(
        self, sentences: Sequence[str], tokens: Sequence[Sequence[Token]], advance: Advance
    ) -> list[Candidates]:
        """Of every eligible token, in order: the model's if it is a single piece, else the nearest words."""
        count = self._settings.candidates
        inputs = masked_inputs(self._lm.tokenizer, sentences, tokens, self._lm.longest)
        words = [{n: token.text for n, token in enumerate(row) if eligible(token.text)} for row in tokens]
        others = [word for row, known in zip(words, inputs, strict=True) for n, word in row.items() if n not in known]
        # The vectors first: a bad file of them is told of before the long part.
        near = self._vectors.nearest(others, count) if others else {}
        predicted = predict(self._lm, inputs, count, advance)
        # Where nothing was found the word itself stands, which still takes part in the draws.
        return [
            {n: (known[n] if n in known else near.get(word, [])) or [word] for n, word in row.items()}
            for row, known in zip(words, predicted, strict=True)
        ]
