"""Whether a method can serve a pair of networks, asked before anything is loaded or trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raykd.errors import UserError
from raykd.methods.method import Link, Method, Pair
from raykd.models.planned import student_shape
from raykd.models.shape import Shape
from raykd.models.spec import parse_student


def check_pair(method: Method, parameters: dict[str, Any], pair: Pair, origin: Path) -> None:
    """UserError with what does not fit, and the valid range, for any run of the method's chain.

    origin: the folder of the encoder that students and assistants are cut from or built after.
    """
    taught_by = pair.teacher
    try:
        for link in method.links(method.parameters.model_validate(parameters), pair):
            learner = _learner(link, pair, origin)
            teacher = taught_by if link.taught_by == "previous" else pair.teacher
            link.recipe(Pair(teacher, learner, pair.answers, pair.corpus))
            taught_by = learner
    except UserError as error:
        raise UserError(*(f"method '{method.name}': {problem}" for problem in error.problems)) from None


def _learner(link: Link, pair: Pair, origin: Path) -> Shape:
    if link.learner == "student":
        return pair.student
    return pair.teacher if link.learner == "teacher" else student_shape(parse_student(link.learner), origin)
