"""Distillation before any task: what of a method can be learned from texts alone."""

from __future__ import annotations

from dataclasses import replace

from raykd.errors import UserError
from raykd.methods.method import Method
from raykd.methods.recipe import Recipe, Term
from raykd.methods.seen import LOGITS


def general(method: Method, recipe: Recipe) -> Recipe:
    """The terms of `recipe` that look at neither logits nor labels, of the stage that has most, as its only stage.

    The general stage of LRC-BERT, TinyBERT and MiniLM, for any method that looks inside the networks; extras and facts
    are kept. UserError for a method that does not.
    """
    if recipe.opponent is not None or recipe.live:
        raise UserError(f"method '{method.name}' trains on the answers of a task: it has no general stage")
    stage = max(recipe.stages, key=lambda stage: sum(looks_inside(term) for term in stage.active))
    inner = tuple(term for term in stage.active if looks_inside(term))
    if not inner:
        raise UserError(f"method '{method.name}' looks at logits and labels alone: it has no general stage")
    kept = replace(stage, terms=inner, until=1.0, name="general", anew=False, from_best=False, scored=False)
    return replace(recipe, stages=(kept,))


def looks_inside(term: Term) -> bool:
    """Whether the term compares what goes on within the networks, not their answers."""
    return LOGITS not in term.student and bool(term.student and term.teacher)
