"""From flags to a space: the file, the method it is narrowed to, what is pinned, and the baseline it implies."""

from __future__ import annotations

import pytest

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.search.baseline import baseline_settings
from raykd.search.choose import choose, searchable
from raykd.search.space import Space, load, shipped


def values(space: Space, name: str) -> tuple[object, ...]:
    return next(tuple(d.candidates()) for d in space.dimensions if d.name == name)


@pytest.mark.parametrize("name", list(shipped()))
def test_every_shipped_space_fits_its_methods(name: str) -> None:
    space = load(name, searchable())
    assert space.about
    assert space.source


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_has_its_space(name: str) -> None:
    assert values(choose(None, name, sample=False, pinned={}), "method") == (name,)


def test_pinned_values_leave_the_search_and_the_starting_points() -> None:
    space = choose("ckd", None, sample=False, pinned={"epochs": 2.0, "learning_rate": 1e-4})
    assert values(space, "epochs") == (2.0,)
    assert space.size() == 1200 // 2 // 3
    assert all("learning_rate" not in point for point in space.start)
    assert all(point["epochs"] == 2.0 for point in list(space.grid())[:5])


def test_a_space_of_several_methods_narrowed_to_one() -> None:
    space = choose("sample", "kd", sample=True, pinned={})
    assert values(space, "method") == ("kd",)
    assert not any(d.name.startswith("lambda") for d in space.dimensions)
    assert [dict(point) for point in space.start] == [{"learning_rate": 1e-3, "alpha": 0.9, "temperature": 2.0}]
    with pytest.raises(UserError, match="searches kd, ckd, not 'none'"):
        choose("sample", "none", sample=True, pinned={})


def test_defaults() -> None:
    assert choose(None, None, sample=False, pinned={}).name == "kd"
    assert choose(None, None, sample=True, pinned={}).name == "sample"


def test_the_baseline_has_the_largest_budget_and_the_first_starting_point() -> None:
    ckd = baseline_settings(load("ckd"))
    assert ckd == {"method": "none", "batch_size": 32, "learning_rate": 5e-5, "epochs": 8}
    sample = baseline_settings(load("sample"))
    assert (sample["learning_rate"], sample["epochs"]) == (1e-3, 4)
