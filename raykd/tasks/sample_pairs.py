"""Pairs of texts for the built-in sample: what one sentence says about things, and whether another agrees with it.

A fact is a thing on one side of a dimension: "the hall is loud". It can be said with any word of that side, or with
a negator and any word of the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from raykd.tasks import sample_words as w

ENTAILED, NEUTRAL, CONTRADICTED = 0, 1, 2
NEGATED = 0.2  # share of facts said with a negator


@dataclass(frozen=True)
class Fact:
    """`thing` is on side `high` (0 or 1) of a dimension."""

    thing: str
    dimension: int
    high: int


def say(chance: Random, fact: Fact) -> str:
    """One of the ways to state a fact, 4 or 5 words."""
    negated = chance.random() < NEGATED
    word = chance.choice(w.DIMENSIONS[fact.dimension][fact.high ^ negated])
    negator = f" {chance.choice(w.NEGATORS)}" if negated else ""
    return f"the {fact.thing} {chance.choice(w.VERBS)}{negator} {word}"


def tell(chance: Random, facts: list[Fact]) -> str:
    """A sentence that states all the facts."""
    opener = f"{chance.choice(w.OPENERS)} " if chance.random() < 0.3 else ""
    text = say(chance, facts[0])
    for fact in facts[1:]:
        text += f" {chance.choice(w.JOINTS)} {say(chance, fact)}"
    return f"{opener}{text} ."


def world(chance: Random, count: int) -> list[Fact]:
    """Facts about different things, on different dimensions."""
    things = chance.sample(w.THINGS, count)
    dimensions = chance.sample(range(len(w.DIMENSIONS)), count)
    return [Fact(t, d, chance.randrange(2)) for t, d in zip(things, dimensions, strict=True)]


def entailment(chance: Random, relation: int) -> tuple[str, str]:
    """Premise and hypothesis, where the hypothesis is entailed, neutral (says something of which the premise is
    silent) or contradicted."""
    facts = world(chance, chance.choice((2, 2, 3)))
    fact = chance.choice(facts)
    if relation == CONTRADICTED:
        fact = opposite(fact)
    elif relation == NEUTRAL:
        fact = strange(chance, fact, facts)
    return tell(chance, facts), f"{say(chance, fact)} ."


def opposite(fact: Fact) -> Fact:
    return replace(fact, high=1 - fact.high)


def strange(chance: Random, fact: Fact, known: list[Fact]) -> Fact:
    """A fact on a dimension that none of the known facts is about."""
    taken = {other.dimension for other in known}
    return replace(fact, dimension=chance.choice([d for d in range(len(w.DIMENSIONS)) if d not in taken]))
