"""The vocabulary of a language model as text: which entries begin a word, which go on with one, which are no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raykd.augment.words import Token

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

CONTINUES = "##"  # WordPiece marks what goes on with a word
BEGINS = ("\u0120", "\u2581")  # byte-level BPE and SentencePiece mark the space before a word instead


@dataclass(frozen=True)
class Vocabulary:
    """V entries by id."""

    words: tuple[str, ...]
    """The text of each without its mark, lower-cased but for special tokens; "" for an id without a token or text."""
    continues: tuple[bool, ...]
    """Whether it goes on with a word begun before."""
    barred: frozenset[int]
    """Ids never offered as a word: special tokens and ids without a token."""


def vocabulary_of(tokenizer: PreTrainedTokenizerFast, size: int) -> Vocabulary:
    """The vocabulary of a fast tokenizer for a model with `size` embeddings, which may be more than it has tokens."""
    pieces = [""] * size
    for piece, index in tokenizer.get_vocab().items():
        pieces[index] = piece
    # RoBERTa has a few pieces that begin with "##", and no marks by them: the most frequent mark is the mark.
    counts = {mark: sum(piece.startswith(mark) for piece in pieces) for mark in (CONTINUES, *BEGINS)}
    mark = max(counts, key=counts.__getitem__)
    if mark in BEGINS:
        words = [tokenizer.convert_tokens_to_string([piece]).strip() if piece else "" for piece in pieces]
        continues = [not piece.startswith(mark) for piece in pieces]
    else:
        words = [piece.removeprefix(CONTINUES) for piece in pieces]
        continues = [piece.startswith(CONTINUES) for piece in pieces]
    special = set(tokenizer.all_special_ids)
    lower = [word if index in special else word.lower() for index, word in enumerate(words)]
    # bytes on their own are pieces too: control characters and parts of letters
    lower = [word if word.isprintable() and "\ufffd" not in word else "" for word in lower]
    empty = {index for index, piece in enumerate(pieces) if not piece}
    return Vocabulary(tuple(lower), tuple(continues), frozenset(empty | special))


def single_pieces(coded: Encoding, tokens: Sequence[Token], length: int) -> dict[int, int]:
    """From the number of each token that is one piece in the first sentence of `coded`, to that piece's position.

    length: characters of the sentence. A piece that reaches into two tokens counts for neither.
    """
    owner = [-1] * length
    for number, token in enumerate(tokens):
        owner[token.start : token.end] = [number] * (token.end - token.start)
    pieces: dict[int, list[int]] = {}
    spoiled: set[int] = set()
    for position, (sequence, (start, end)) in enumerate(zip(coded.sequence_ids, coded.offsets, strict=True)):
        if sequence != 0:
            continue
        touched = set(owner[start:end]) - {-1}
        if len(touched) > 1:
            spoiled |= touched
        for number in touched:
            pieces.setdefault(number, []).append(position)
    return {number: at[0] for number, at in pieces.items() if len(at) == 1 and number not in spoiled}
