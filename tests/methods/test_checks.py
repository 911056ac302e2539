"""Refusals that say everything at once."""

from __future__ import annotations

import pytest

from raykd.errors import UserError, together
from raykd.methods.checks import check_weighs


def refuse(*problems: str) -> None:
    raise UserError(*problems)


def test_all_problems_are_raised_together() -> None:
    with pytest.raises(UserError) as caught:
        together([lambda: refuse("one", "two"), lambda: None, lambda: refuse("three")])
    assert caught.value.problems == ("one", "two", "three")


def test_nothing_is_raised_where_nothing_is_wrong() -> None:
    together([lambda: None, lambda: check_weighs(one=0.0, two=0.1)])


def test_weights_that_are_all_zero_are_named() -> None:
    with pytest.raises(UserError, match="one, two: all are 0; give one of them a weight above 0"):
        check_weighs(one=0.0, two=0.0)
