"""Plain fine-tuning: the student learns from the labels alone. The baseline of every sweep."""

from __future__ import annotations

from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.terms import hard_term


def recipe(parameters: Parameters, pair: Pair) -> Recipe:
    """One stage, one term: cross-entropy, or squared error for a regression."""
    return Recipe(stages=(Stage(terms=(hard_term(1.0, regression=pair.regression),)),))


METHOD = Method(
    name="none",
    title="plain fine-tuning, no distillation",
    paper="Devlin et al. 2019, BERT, section 4",
    parameters=Parameters,
    recipe=recipe,
    needs_teacher=False,
)
