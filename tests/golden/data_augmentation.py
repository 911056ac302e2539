"""Reference values of ``ckd/data_augmentation.npz``: TinyBERT's published augmentation, run on three toy sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from raykd.augment.candidates import choose, masked_inputs
from raykd.augment.masked_lm import MaskedInput, masked_ids
from raykd.augment.pieces import vocabulary_of
from raykd.augment.sentences import expand, variants
from raykd.augment.vectors import WordVectors, known_words, unit_rows
from raykd.augment.words import basic_tokens, eligible
from tests.augment.toys import wordpiece

from .cases import Arrays, Case, broken, compare, read, uncovered
from .ckd_tables import EXACT

INPUTS = {"vocab", "glove_words", "glove_vectors", "sentences", "M", "N", "p", "python_random_seed", "pair_rows_in"}


def check(path: Path) -> list[Case] | None:
    """The cases of the file, or None for another one."""
    if path.stem.split("__")[0] != "data_augmentation":
        return None
    arrays = read(path)
    tokenizer = wordpiece(arrays["vocab"].tolist())
    vectors = torch.from_numpy(arrays["glove_vectors"])
    glove = known_words(arrays["glove_words"].tolist(), unit_rows(vectors))
    chance = random.Random(int(arrays["python_random_seed"]))
    sentences = arrays["sentences"].tolist()
    tokens = [basic_tokens(sentence) for sentence in sentences]
    inputs = masked_inputs(tokenizer, sentences, tokens, longest=512)

    checker = _Checker(arrays)
    for k, sentence in enumerate(sentences):
        words = [token.text for token in tokens[k]]
        checker.texts(f"s{k}_tokens", words)
        candidates = {}
        for i, word in enumerate(words):
            if eligible(word):
                candidates[i] = _word(checker, f"s{k}_w{i}_", word, inputs[k].get(i), tokenizer, glove)
        new = variants(
            sentence,
            words,
            candidates,
            attempts=int(arrays["N"]),
            probability=float(arrays["p"]),
            chance=chance,
        )
        checker.texts(f"s{k}_augmented", new)
    _pairs(checker)
    known = INPUTS | checker.seen
    return checker.cases + [
        # a word of theirs that is none of ours is a difference, not a result unknown to us
        broken(name, "we do not replace this word") if re.match(r"s\d+_w\d+_", name) else uncovered(name)
        for name in arrays
        if name not in known
    ]


class _Checker:
    """Collects cases, and which arrays they looked at."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.cases: list[Case] = []
        self.seen: set[str] = set()

    def texts(self, name: str, ours: Sequence[str]) -> None:
        """The number of texts that agree, all of them in order."""
        self.seen.add(name)
        if name not in self.arrays:
            self.cases.append(broken(name, f"ours {list(ours)}, theirs: no such array"))
            return
        theirs = self.arrays[name].ravel().tolist()
        same = Case(name, len(ours), len(theirs), 0, 0)
        self.cases.append(same if list(ours) == theirs else broken(name, f"ours {list(ours)}, theirs {theirs}"))

    def numbers(self, name: str, ours: Sequence[int]) -> None:
        """Whole numbers, all the same."""
        self.seen.add(name)
        self.cases.append(compare(name, ours, self.arrays[name], EXACT))


def _word(
    checker: _Checker,
    prefix: str,
    word: str,
    asked: MaskedInput | None,
    tokenizer: PreTrainedTokenizerFast,
    glove: WordVectors,
) -> list[str]:
    """Our candidates of a word; compared on the way, with where they came from and what a language model was asked."""
    arrays, count = checker.arrays, int(checker.arrays["M"])
    near = glove.nearest([word], count).get(word, [])
    source = "glove" if near else "none"
    found = near
    if asked is not None and f"{prefix}lm_mask_logits" in arrays:
        source = "mlm"
        checker.seen.add(f"{prefix}lm_mask_logits")
        checker.numbers(f"{prefix}lm_input_ids", masked_ids([asked], tokenizer)[0].tolist())
        checker.numbers(f"{prefix}lm_segments", asked.segments or [])
        # the published run bars no entry, and this untrained model does put special tokens first
        vocabulary = replace(vocabulary_of(tokenizer, len(arrays["vocab"])), barred=frozenset())
        scores = torch.from_numpy(arrays[f"{prefix}lm_mask_logits"])[None]
        found = choose(scores, [asked.masked], vocabulary, count)[0]
    found = found or [word]
    checker.texts(f"{prefix}word", [word])
    checker.texts(f"{prefix}source", [source])
    checker.texts(f"{prefix}candidates", found)
    return found


def _pairs(checker: _Checker) -> None:
    """The rows of a table with a header: index, sentence1, sentence2, label. A sentence x varies as x+1, x+2, ..."""
    header, *rows = checker.arrays["pair_rows_in"].tolist()
    made = (len(checker.arrays["pair_rows_out"]) - 1) // max(1, 2 * len(rows))
    expected = [header]
    for index, first, second, label in rows:
        texts = [[text, *(f"{text}+{n}" for n in range(1, made))] for text in (first, second)]
        expected += [[index, *row, label] for row in expand(texts, "published")]
    checker.texts("pair_rows_out", [cell for row in expected for cell in row])
