"""Distillation before any task: what of a method can be learned from texts alone."""

from __future__ import annotations

from dataclasses import replace

from raykd.errors import UserError
from raykd.methods.method import Method, Pair, Parameters
from raykd.methods.recipe import Recipe, Term
from raykd.methods.seen import LOGITS


def in_general(method: Method) -> Method:
    """`method` with the recipe and hyperparameters that it has in the general stage, where they are its own there."""
    if method.general is None:
        return method
    return replace(method, recipe=method.general, parameters=method.general_parameters or method.parameters)


def general(method: Method, parameters: Parameters, pair: Pair) -> Recipe:
    """The method's own recipe for this stage; where it has none, what is left of its recipe without any answers.

    That is the terms that look at neither logits nor labels, of the stage that has most of them, as the only stage:
    the general stage of LRC-BERT, TinyBERT and MiniLM, for any method that looks inside the networks. Extras and facts
    are kept. UserError for a method that does not look inside. parameters: of in_general(method).
    """
    if method.general is not None:
        return method.general(parameters, pair)
    recipe = method.recipe(parameters, pair)
    if recipe.opponent is not None or recipe.live:
        raise UserError(f"method '{method.name}' trains on the answers of a task: it has no general stage")
    stage = max(recipe.stages, key=lambda stage: sum(looks_inside(term) for term in stage.active))
    inner = tuple(term for term in stage.active if looks_inside(term))
    if not any(term.student for term in inner):
        raise UserError(f"method '{method.name}' looks at logits and labels alone: it has no general stage")
    kept = replace(stage, terms=inner, until=1.0, name="general", anew=False, from_best=False, scored=False)
    return replace(recipe, stages=(kept,))


def looks_inside(term: Term) -> bool:
    """Whether the term has nothing to do with the networks' answers."""
    return LOGITS not in term.student | term.teacher
