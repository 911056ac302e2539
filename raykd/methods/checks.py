"""Refusals that say everything at once: the checks of a recipe, run together."""

from __future__ import annotations

from collections.abc import Callable

from raykd.errors import UserError


def together(*checks: Callable[[], object]) -> None:
    """Run every check; one UserError with the problems of all that raised one."""
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)


def check_weighs(**weights: float) -> None:
    """UserError where every one of these weights is 0, so that nothing, or no answer, would be learned."""
    if not any(weights.values()):
        raise UserError(f"{', '.join(weights)}: all are 0; give one of them a weight above 0")
