"""Is an answer right? Exact match and F1 of words, as SQuAD's evaluation defines them (Rajpurkar et al. 2016, 2018).

Both compare texts without case, punctuation, articles and superfluous space, and take the best of several right
answers. A question without a right answer wants the empty one.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """In lower case, without ASCII punctuation and articles, words apart by one space."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1.0 if the answer is one of the right ones, else 0.0."""
    return float(normalise(answer) in {normalise(text) for text in _wanted(right)})


def f1(answer: str, right: Sequence[str]) -> float:
    """The best F1, over the right answers, of the words in common, each as often as it is in both."""
    return max(_f1(normalise(answer).split(), normalise(text).split()) for text in _wanted(right))


def _wanted(right: Sequence[str]) -> Sequence[str]:
    """Answers of which nothing remains ("The") are none; without any, the empty one is right."""
    return [text for text in right if normalise(text)] or [""]


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted))
