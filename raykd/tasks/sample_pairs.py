"""Pairs of texts for the built-in sample: a review of a film, and a verdict that follows from it or does not.

"the film is superb" demands more of a review than "the movie is bearable". So praise entails faint praise and not the
other way round, and the label rests on every clause of the one text and on the other text. (Facts about several
things would be closer to the real tasks, but a small transformer trained from nothing takes long to find out which
words of two texts belong together: such a generator mostly stood near 0.75 after a minute, this one at 0.99.)
"""

from __future__ import annotations

from random import Random

from raykd.tasks import sample_words as w
from raykd.tasks.sample_single import review

DEMANDS = (-0.75, 0.25, 1.25)  # least value of a review from which w.VERDICTS[i] follow; no review has such a value
NEAR = 1.5  # a review short of the demand by less than this leaves the verdict open; by more, contradicts it


def entailment(chance: Random, follows: bool, parts: tuple[str, ...] = w.FILM_PARTS) -> tuple[str, str]:
    """A review, and a verdict that follows from it or does not."""
    while True:
        text, claim, margin = _pair(chance, parts)
        if (margin > 0) == follows:
            return text, claim


def inference(chance: Random, relation: int, parts: tuple[str, ...] = w.FILM_PARTS) -> tuple[str, str]:
    """A review, and a verdict that it entails (0), leaves open (1) or contradicts (2)."""
    while True:
        text, claim, margin = _pair(chance, parts)
        if relation == (0 if margin > 0 else 1 if margin > -NEAR else 2):
            return text, claim


def question(chance: Random, answered: bool) -> tuple[str, str]:
    """A question ("is the film good ?") and a review that says yes, or does not."""
    text, claim = entailment(chance, answered)
    return f"is {claim.replace(' is ', ' ')} ?", text


def agreement(chance: Random) -> tuple[tuple[str, str], float]:
    """A review, a verdict, and how well the one bears out the other: 0 to 5."""
    text, claim, margin = _pair(chance, w.FILM_PARTS)
    return (text, claim), min(5.0, max(0.0, 2.5 + margin))


def _pair(chance: Random, parts: tuple[str, ...]) -> tuple[str, str, float]:
    """A review, a verdict, and by how much the review's value passes the demand; never by zero."""
    text, value = review(chance, 2, parts)
    level = chance.randrange(len(DEMANDS))
    claim = f"the {chance.choice(w.FILMS)} is {chance.choice(w.VERDICTS[level])}"
    return text, claim, value - DEMANDS[level]
