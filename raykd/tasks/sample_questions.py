"""Questions for the built-in sample: on a little film review, answered by what one of its clauses says, or by none.

"why is the film good ?" wants the praise of the only clause that praises. Which words those are can only be found by
reading the question and every clause: a negator turns its word round. (To ask for the part of the film that is spoken
of would be closer to the real tasks; a small transformer trained from nothing mostly did not learn it in a minute.)
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from raykd.tasks import sample_words as w
from raykd.tasks.data import Answer

ASKING = {True: ("good", "liked", "praised"), False: ("bad", "disliked", "blamed")}
# So many questions ask for the good. Where all is even, a small transformer trained from nothing takes far more than a
# minute to begin to learn that the answer hangs on two words together.
OF_GOOD = 0.75
TURNED, MILD = 0.3, 0.2  # share of clauses with a negator, with a diminisher


@dataclass(frozen=True)
class Asked:
    """A question and its context; what would answer it in each clause; and which clause does, None where none does."""

    question: str
    context: str
    clauses: tuple[tuple[Answer, ...], ...]
    right: int | None


def ask(chance: Random, answered: bool) -> Asked:
    """A question on two or three clauses, of which one answers it, or none. The whole clause is an answer too."""
    good = chance.random() < OF_GOOD
    question = f"why is the {chance.choice(w.FILMS)} {chance.choice(ASKING[good])} ?"
    parts = chance.sample(w.FILM_PARTS, chance.choice((2, 3)))
    right = chance.randrange(len(parts)) if answered else None
    context = ""
    clauses: list[tuple[Answer, ...]] = []
    for number, part in enumerate(parts):
        context += " and " if number else ""
        said = _said(chance, good == (number == right))
        clause = f"the {part} is {said}"
        start = len(context)
        clauses.append(((start + len(clause) - len(said), said), (start, clause)))
        context += clause
    return Asked(question, context, tuple(clauses), right)


def vocabulary() -> list[str]:
    """Every word of questions and contexts, sorted."""
    words = {"why", "is", "the", "and", "?", *ASKING[True], *ASKING[False], *w.FILMS, *w.FILM_PARTS}
    return sorted(words.union(w.GOOD, w.BAD, w.NEGATORS, w.MILD))


def _said(chance: Random, good: bool) -> str:
    """A word of praise or blame, by itself or after a negator or diminisher."""
    kind = chance.random()
    word = chance.choice(w.GOOD if good != (kind < TURNED) else w.BAD)
    if kind < TURNED:
        return f"{chance.choice(w.NEGATORS)} {word}"
    return f"{chance.choice(w.MILD)} {word}" if kind < TURNED + MILD else word
