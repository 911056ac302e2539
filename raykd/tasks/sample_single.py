"""Single texts for the built-in sample: little film reviews, and sentences that agree in number or do not."""

from __future__ import annotations

from random import Random

from raykd.tasks import sample_words as w


def review(chance: Random, clauses: int, parts: tuple[str, ...] = w.FILM_PARTS) -> tuple[str, float]:
    """A review of so many clauses, each on a part of a film, and its value.

    A clause is worth 1 or -1; a negator turns it round, a diminisher halves it, and what comes after "but" counts
    twice. Values are multiples of 0.5.
    """
    value = 0.0
    weight = 1.0
    text = ""
    for number, part in enumerate(chance.sample(parts, clauses)):
        if number:
            turn = weight == 1.0 and chance.random() < 0.3
            weight = 2.0 if turn else weight
            text += " but " if turn else " and "
        clause, worth = _clause(chance, part)
        text += clause
        value += weight * worth
    return text, value


def judged(chance: Random, positive: bool) -> str:
    """A review of two or three clauses whose value has this sign; never zero."""
    while True:
        text, value = review(chance, chance.choice((2, 3)))
        if value and (value > 0) == positive:
            return text


def sentence(chance: Random, acceptable: bool) -> str:
    """One or two clauses; in an unacceptable one a verb or determiner has the wrong number, or two words are swapped.

    Nine subjects of ten are plural, so that a singular verb by itself says something: where no single word does, a
    small transformer trained from nothing needs far more than a minute to begin to learn.
    """
    count = chance.choice((1, 1, 2))
    wrong = None if acceptable else chance.randrange(count)
    return " and ".join(_agreement(chance, at == wrong) for at in range(count))


def _clause(chance: Random, part: str) -> tuple[str, float]:
    good = chance.random() < 0.5
    word = chance.choice(w.GOOD if good else w.BAD)
    worth = 1.0 if good else -1.0
    kind = chance.random()
    if kind < 0.2:
        return f"the {part} is {chance.choice(w.NEGATORS)} {word}", -worth
    if kind < 0.4:
        return f"the {part} is {chance.choice(w.MILD)} {word}", worth / 2
    return f"the {part} is {word}", worth


def _agreement(chance: Random, wrong: bool) -> str:
    plural = int(chance.random() < 0.9)
    fault = chance.random() if wrong else 1.0
    determiner = chance.choice(w.DETERMINERS)[plural ^ (0.5 <= fault < 0.75)]
    noun = chance.choice(w.NOUNS)[plural]
    deed = chance.choice(w.DEEDS)[plural ^ (fault < 0.5)]
    words = [determiner, noun]
    if chance.random() < 0.5:
        words += [chance.choice(w.RELATIONS), "the", chance.choice(w.NOUNS)[chance.randrange(2)]]
    if 0.75 <= fault < 1.0:
        words[0], words[1] = words[1], words[0]
    if chance.random() < 0.4:
        words.append(chance.choice(w.MANNERS))
    return " ".join([*words, deed])
