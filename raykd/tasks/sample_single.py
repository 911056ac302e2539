"""Single texts for the built-in sample: little film reviews, and sentences that agree in number or do not."""

from __future__ import annotations

from random import Random

from raykd.tasks import sample_words as w


def review(chance: Random, positive: bool) -> str:
    """Two or three clauses on parts of a film. A negator turns a word round, a diminisher halves it, and what comes
    after "but" counts twice; the sign of the sum is the label (never a tie)."""
    while True:
        total = 0.0
        weight = 1.0
        text = ""
        for number, part in enumerate(chance.sample(w.FILM_PARTS, chance.choice((2, 3)))):
            if number:
                turn = weight == 1.0 and chance.random() < 0.3
                weight = 2.0 if turn else weight
                text += " but " if turn else " and "
            clause, value = _clause(chance, part)
            text += clause
            total += weight * value
        if total and (total > 0) == positive:
            return text


def sentence(chance: Random, acceptable: bool) -> str:
    """One or two clauses; in an unacceptable one a verb or determiner has the wrong number, or two words are swapped.

    Four subjects of five are plural, so that a singular verb by itself says something (see `sample_pairs`).
    """
    count = chance.choice((1, 1, 2))
    wrong = None if acceptable else chance.randrange(count)
    return " and ".join(_agreement(chance, at == wrong) for at in range(count))


def _clause(chance: Random, part: str) -> tuple[str, float]:
    """Words of one clause, and its value from -1 to 1."""
    good = chance.random() < 0.5
    word = chance.choice(w.GOOD if good else w.BAD)
    value = 1.0 if good else -1.0
    kind = chance.random()
    if kind < 0.2:
        return f"the {part} is {chance.choice(w.NEGATORS)} {word}", -value
    if kind < 0.4:
        return f"the {part} is {chance.choice(w.MILD)} {word}", value / 2
    return f"the {part} is {word}", value


def _agreement(chance: Random, wrong: bool) -> str:
    plural = int(chance.random() < 0.8)
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
