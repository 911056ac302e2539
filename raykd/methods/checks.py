"""Refusals that several recipes share."""

from __future__ import annotations

from raykd.errors import UserError


def check_weighs(**weights: float) -> None:
    """UserError where every one of these weights is 0, so that nothing, or no answer, would be learned."""
    if not any(weights.values()):
        raise UserError(f"{', '.join(weights)}: all are 0; give one of them a weight above 0")
