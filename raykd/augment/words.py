"""A sentence as BERT's basic tokens: lower-cased words and punctuation; which of them may be replaced.

Only words of the letters a to z that are not stop words are replaced, as in TinyBERT's published procedure.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import PreTokenizedString, normalizers, pre_tokenizers

_NORMALIZER = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)
_SPLITTER = pre_tokenizers.BertPreTokenizer()

_PRONOUNS = """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers
    herself it its itself they them their theirs themselves who whom what which this that these those
"""
_DETERMINERS = "a an the all any both each few more most other some such no nor not only own same so than too very"
_VERBS = """
    am is are was were be been being have has had having do does did doing can will just should now
"""
_CONNECTIVES = """
    and but if or because as until while of at by for with about against between into through during before after
    above below to from up down in out on off over under again further then once here there when where why how
"""
# What the split at an apostrophe leaves of "don't", "she'll", "y'all" and the like.
_CONTRACTED = """
    ain aren couldn didn doesn don hadn hasn haven isn ma mightn mustn needn shan shouldn wasn weren won wouldn
    d ll m o re s t ve y
"""
# Function words alone: longer lists (scikit-learn's) also hold "one", "bill" and "fire", and the published run replaces
# "one". As there, "mine", "us", "would" and "could" are not in it.
STOP_WORDS = frozenset(" ".join((_PRONOUNS, _DETERMINERS, _VERBS, _CONNECTIVES, _CONTRACTED)).split())


@dataclass(frozen=True)
class Token:
    """A basic token and the characters [start, end) of the sentence it came from."""

    text: str
    start: int
    end: int


def basic_tokens(sentence: str) -> list[Token]:
    """The sentence in lower case, without accents and control characters, split at spaces and punctuation."""
    text = PreTokenizedString(sentence)
    text.normalize(_NORMALIZER.normalize)
    _SPLITTER.pre_tokenize(text)
    return [Token(word, start, end) for word, (start, end), _ in text.get_splits("original", "char")]


def plain(word: str) -> bool:
    """Whether the word is made of the letters a to z alone."""
    return word.isascii() and word.isalpha() and word.islower()


def eligible(word: str) -> bool:
    """Whether a basic token may be replaced."""
    return plain(word) and word not in STOP_WORDS
