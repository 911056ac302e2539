"""Born-again networks: generations of equals, each taught by the one before (Furlanello et al. 2018, section 3).

The student of each generation has the same architecture and a fresh start, and learns from
CE(labels) + alpha CE(softmax(teacher), softmax(student)) at temperature 1, alpha = 1 in the paper. The last generation
is the result; the ensemble of all of them (mean of probabilities) is reported beside it.

Ours: the first generation is taught by the given teacher, which is larger; the paper's first trains on labels. The
soft term is a KL, which lacks the entropy of the teacher, a constant. A regression takes mean squared errors for both.
"Fresh" is what the student's description makes under another seed: a cut starts from the teacher's layers again.
"""

from __future__ import annotations

from pydantic import Field

from raykd.methods.method import Link, Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.terms import hard_term, soft_term


class BornAgainParameters(Parameters):
    """How many generations, and how much each listens to the one before."""

    generations: int = Field(3, ge=1, le=10, description="students in a row; the first learns from the teacher")
    alpha: float = Field(1.0, ge=0, description="weight of the soft term; the hard term has 1")


def recipe(parameters: BornAgainParameters, pair: Pair) -> Recipe:
    """That of every generation: one stage of two terms."""
    terms = (
        hard_term(1.0, regression=pair.regression),
        soft_term(parameters.alpha, 1.0, regression=pair.regression),
    )
    return Recipe(stages=(Stage(terms=terms),))


def chain(parameters: BornAgainParameters, pair: Pair) -> tuple[Link, ...]:
    """One run a generation."""
    return tuple(
        Link(
            f"generation-{number + 1}",
            lambda of: recipe(parameters, of),
            taught_by="previous" if number else "teacher",
        )
        for number in range(parameters.generations)
    )


METHOD = Method(
    name="born_again",
    title="born-again networks: generations of equals, each taught by the one before",
    paper="Furlanello, Lipton, Tschannen, Itti & Anandkumar 2018, Born Again Neural Networks",
    parameters=BornAgainParameters,
    recipe=recipe,
    chain=chain,
    ensemble=True,
)
