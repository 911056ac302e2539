"""Pairs of texts for the built-in sample: does the second say of things what the first says of them?

A fact is a thing on one side of a dimension: "the hall is loud". A first text says it with any word of that side, or
with "not" and any word of the other side; a second text uses the plain word of the side.

Second texts mostly name the high side of a dimension (large, hot, ...). Without that bias the label depends on no
single word at all, and a small transformer trained from nothing needs far more than a minute to begin to learn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from raykd.tasks import sample_words as w

ENTAILED, NEUTRAL, CONTRADICTED = 0, 1, 2
CLAIMS_HIGH = 0.9  # share of second texts that name the high side
NEGATED = 0.1  # share of facts said with "not"


@dataclass(frozen=True)
class Fact:
    """`thing` is on the low (0) or high (1) side of a dimension."""

    thing: str
    dimension: int
    side: int


def entailment(chance: Random, relation: int, things: tuple[str, ...] = w.THINGS) -> tuple[str, str]:
    """A premise of one or two facts and a hypothesis that it entails, is silent about, or contradicts."""
    claims = _claims(chance, _few(chance), things)
    at = chance.randrange(len(claims))
    told = [replace(claim, side=chance.randrange(2)) for claim in claims]
    told[at] = _told(chance, claims, at, relation)
    return " and ".join(_say(chance, fact) for fact in told), _plain(claims[at])


def question(chance: Random, answered: bool) -> tuple[str, str]:
    """A question of one side ("is the hall loud ?") and a sentence that says yes, or does not."""
    sentence, claim = entailment(chance, ENTAILED if answered else unlike(chance))
    return f"is {claim.replace(' is ', ' ')} ?", sentence


def paraphrase(chance: Random, same: bool) -> tuple[str, str]:
    """Two sentences of the same one or two facts, in any order; or one of the facts differs."""
    claims = _claims(chance, _few(chance), w.THINGS)
    told = list(claims)
    if not same:
        at = chance.randrange(len(claims))
        told[at] = _told(chance, claims, at, unlike(chance))
    return _pair(chance, told, claims)


def similarity(chance: Random) -> tuple[tuple[str, str], float]:
    """Two sentences of two facts each and a score from 0 to 5: 2.5 for each claim that the first sentence entails, 1
    for one of which it is silent, 0 for one it contradicts."""
    claims = _claims(chance, 2, w.THINGS)
    relations = [chance.choice((ENTAILED, NEUTRAL, CONTRADICTED)) for _ in claims]
    told = [_told(chance, claims, at, relation) for at, relation in enumerate(relations)]
    return _pair(chance, told, claims), sum((2.5, 1.0, 0.0)[relation] for relation in relations)


def unlike(chance: Random) -> int:
    """A relation other than entailment: contradicted in 7 cases of 10."""
    return NEUTRAL if chance.random() < 0.3 else CONTRADICTED


def _claims(chance: Random, count: int, things: tuple[str, ...]) -> list[Fact]:
    """Facts about different things on different dimensions."""
    dimensions = chance.sample(range(len(w.DIMENSIONS)), count)
    chosen = zip(chance.sample(things, count), dimensions, strict=True)
    return [Fact(thing, dimension, int(chance.random() < CLAIMS_HIGH)) for thing, dimension in chosen]


def _told(chance: Random, claims: list[Fact], at: int, relation: int) -> Fact:
    """What the first text says so that the claim there stands in this relation to it."""
    if relation == ENTAILED:
        return claims[at]
    if relation == CONTRADICTED:
        return replace(claims[at], side=1 - claims[at].side)
    taken = {claim.dimension for claim in claims}
    free = [dimension for dimension in range(len(w.DIMENSIONS)) if dimension not in taken]
    return replace(claims[at], dimension=chance.choice(free), side=chance.randrange(2))


def _pair(chance: Random, told: list[Fact], claims: list[Fact]) -> tuple[str, str]:
    first = " and ".join(_say(chance, fact) for fact in told)
    return first, " and ".join(_plain(claim) for claim in chance.sample(claims, len(claims)))


def _say(chance: Random, fact: Fact) -> str:
    negated = chance.random() < NEGATED
    word = chance.choice(w.DIMENSIONS[fact.dimension][fact.side ^ negated])
    return f"the {fact.thing} is {w.NOT + ' ' if negated else ''}{word}"


def _plain(fact: Fact) -> str:
    return f"the {fact.thing} is {w.DIMENSIONS[fact.dimension][fact.side][0]}"


def _few(chance: Random) -> int:
    return chance.choice((1, 2, 2))
