"""What a masked language model would put in place of a word: masked inputs, and the best entries of its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from raykd.augment.masked_lm import MaskedInput, MaskedLM
from raykd.augment.pieces import Vocabulary, single_pieces
from raykd.augment.words import Token, eligible
from raykd.progress import Advance

BATCH_TOKENS = 8_192  # of one forward pass, padding included

# From the number of a token in its sentence to its candidates, best first.
Candidates = dict[int, list[str]]


def masked_inputs(
    tokenizer: PreTrainedTokenizerFast, sentences: Sequence[str], tokens: Sequence[Sequence[Token]], longest: int
) -> list[dict[int, MaskedInput]]:
    """For each sentence, an input for each eligible token (by its number) that is a single piece.

    The input is [CLS] masked sentence [SEP] sentence [SEP], or the tokenizer's own form of a pair, cut at its end to
    `longest` tokens as in the published code; a token beyond that gets none.
    """
    coded = tokenizer(list(sentences), list(sentences), truncation=False, padding=False, verbose=False)
    result = []
    for row, (sentence, words) in enumerate(zip(sentences, tokens, strict=True)):
        ids = coded["input_ids"][row][:longest]
        segments = coded["token_type_ids"][row][:longest] if "token_type_ids" in coded else None
        single = single_pieces(coded.encodings[row], words, len(sentence))
        inputs = {
            number: MaskedInput(ids, segments, position)
            for number, position in sorted(single.items())
            if position < longest and eligible(words[number].text)
        }
        result.append(inputs)
    return result


def choose(scores: Tensor, masked: Sequence[int], vocabulary: Vocabulary, count: int) -> list[list[str]]:
    """The words of the `count` best entries of each row, best first, less those that cannot stand there.

    scores: `[R, V]`; masked: `[R]`, the ids that were masked. Dropped without refill, so that fewer than `count` may be
    left: entries that go on with a word where the masked one begins one (as published), or the other way round (after
    a bracket or at the start of a sentence RoBERTa's pieces carry no mark); entries without text; repeated words.
    Entries the vocabulary bars never count, unlike in the published code, which offers "[MASK]" if it scores high.
    """
    barred = torch.tensor(sorted(vocabulary.barred), dtype=torch.long, device=scores.device)
    best = scores.index_fill(1, barred, -float("inf")).topk(min(count, scores.shape[1]), dim=1)
    rows = []
    for was, ids, values in zip(masked, best.indices.tolist(), best.values.tolist(), strict=True):
        kept = [
            vocabulary.words[index]
            for index, value in zip(ids, values, strict=True)
            if value > -float("inf") and vocabulary.continues[index] == vocabulary.continues[was]
        ]
        rows.append([word for word in dict.fromkeys(kept) if word])
    return rows


def predict(
    lm: MaskedLM,
    inputs: Sequence[dict[int, MaskedInput]],
    count: int,
    advance: Advance,
) -> list[Candidates]:
    """The candidates of every input, in batches of like length. advance: told after each batch how many more of the
    `inputs` are done; a part of one counts as such."""
    places = [(row, number) for row, each in enumerate(inputs) for number in each]
    places.sort(key=lambda place: len(inputs[place[0]][place[1]].ids))
    result: list[Candidates] = [{} for _ in inputs]
    for batch in _batches(places, lambda place: len(inputs[place[0]][place[1]].ids)):
        asked = [inputs[row][number] for row, number in batch]
        chosen = choose(lm.scores(asked), [each.masked for each in asked], lm.vocabulary, count)
        for (row, number), words in zip(batch, chosen, strict=True):
            result[row][number] = words
        advance(len(batch) / len(places) * len(inputs))
    return result


def _batches(
    places: Sequence[tuple[int, int]], length: Callable[[tuple[int, int]], int]
) -> Iterator[Sequence[tuple[int, int]]]:
    """Runs of `places`, which come shortest first, that are no more than BATCH_TOKENS once padded; one at least."""
    start = 0
    for end, place in enumerate(places):
        if end > start and (end - start + 1) * length(place) > BATCH_TOKENS:
            yield places[start:end]
            start = end
    if start < len(places):
        yield places[start:]
