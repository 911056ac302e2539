"""Whether a method can serve a pair of networks, asked before anything is loaded or trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raykd.errors import UserError
from raykd.methods.method import Link, Method, Pair
from raykd.methods.recipe import Recipe
from raykd.methods.seen import OF_ATTENTION, Need
from raykd.models.planned import student_shape
from raykd.models.shape import Shape
from raykd.models.spec import parse_student


def check_pair(method: Method, parameters: dict[str, Any], pair: Pair, origin: Path) -> None:
    """UserError with what does not fit, and the valid range, for any run of the method's chain.

    origin: the folder of the encoder that students and assistants are cut from or built after.
    """
    try:
        for _, of, recipe in _runs(method, parameters, pair, origin):
            _check_visible(recipe, of.teacher, of.student)
            if recipe.opponent is not None:
                recipe.opponent.check(of, origin)
    except UserError as error:
        raise UserError(*(f"method '{method.name}': {problem}" for problem in error.problems)) from None


def teacher_needs(method: Method, parameters: dict[str, Any], pair: Pair, origin: Path) -> frozenset[Need]:
    """What the method asks of the teacher that was given, by whatever run of its chain. UserError as for check_pair."""
    runs = list(_runs(method, parameters, pair, origin))
    given = [recipe for number, (link, _, recipe) in enumerate(runs) if _taught_by_given(link, number)]
    return frozenset(need for recipe in given for need in recipe.teacher_needs())


def _runs(method: Method, parameters: dict[str, Any], pair: Pair, origin: Path) -> Iterator[tuple[Link, Pair, Recipe]]:
    """Each run of the chain with the networks it is between."""
    taught_by = pair.teacher
    for link in method.links(method.parameters.model_validate(parameters), pair):
        learner = _learner(link, pair, origin)
        of = Pair(taught_by if link.taught_by == "previous" else pair.teacher, learner, pair.answers, pair.corpus)
        yield link, of, link.recipe(of)
        taught_by = learner


def _taught_by_given(link: Link, number: int) -> bool:
    return link.taught_by == "teacher" or (link.taught_by == "previous" and number == 0)


def _check_visible(recipe: Recipe, teacher: Shape, learner: Shape) -> None:
    """UserError where a term must look into a network whose architecture raykd cannot look into."""
    into = {"teacher": recipe.teacher_needs(), "student": recipe.student_needs()}
    moved = any(stage.perturb is not None for stage in recipe.stages)
    for role, shape in (("teacher", teacher), ("student", learner)):
        asked: list[str] = sorted({need.kind for need in into[role] if need.kind in OF_ATTENTION})
        asked += ["perturbed embeddings"] if moved and role == "student" else []
        if asked and not shape.visible:
            raise UserError(
                f"it asks for {', '.join(asked)} of the {role}, whose architecture raykd cannot look into; it can into "
                "those with 1 query, key and value projection a layer: BERT, RoBERTa, ELECTRA, DistilBERT, MobileBERT"
            )


def _learner(link: Link, pair: Pair, origin: Path) -> Shape:
    if link.learner == "student":
        return pair.student
    return pair.teacher if link.learner == "teacher" else student_shape(parse_student(link.learner), origin)
