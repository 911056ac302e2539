"""Search spaces: the shipped grids, counting, walking, conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import BaseDistribution
from pydantic.fields import FieldInfo

from raykd.errors import UserError
from raykd.methods import ckd, kd, none
from raykd.search.space import check, load, shipped
from raykd.train.config import Training

FIELDS: dict[str, dict[str, FieldInfo]] = {
    method.name: {**Training.model_fields, **method.parameters.model_fields}
    for method in (none.METHOD, kd.METHOD, ckd.METHOD)
}
JOINT = """
method: {choice: [none, kd, ckd]}
parameters:
  learning_rate: {choice: [3e-5, 5e-5]}
  temperature: {choice: [1, 2, 4], when: {method: [kd, ckd]}}
  variant: {choice: [paper, code], when: {method: [ckd]}}
  delta: {int: [10, 12], when: {variant: [paper]}}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "size"), [("none", 24), ("kd", 27), ("ckd", 1200), ("ckd_delta", 7200), ("ckd_code", 6144)]
)
def test_shipped_spaces_fit_their_methods_and_have_the_published_size(name: str, size: int) -> None:
    space = load(name)
    check(space, FIELDS)
    keys = {tuple(point.items()) for point in space.grid()}
    assert space.size() == size == len(keys)
    assert space.source
    assert space.about


def test_an_installed_package_holds_the_spaces_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raykd" / "search_spaces").mkdir(parents=True)
    (tmp_path / "raykd" / "search_spaces" / "inside.yaml").touch()
    (tmp_path / "search_spaces").mkdir()
    monkeypatch.setattr("raykd.search.space.files", lambda _: tmp_path / "raykd" / "search")
    assert shipped() == {"inside": tmp_path / "raykd" / "search_spaces" / "inside.yaml"}


def test_ckd_is_the_grid_of_the_paper() -> None:
    values = {dimension.name: dimension.values for dimension in load("ckd").dimensions}
    assert values == {
        "method": ("ckd",),
        "variant": ("paper",),
        "batch_size": (32,),
        "delta": (10,),
        "learning_rate": (3e-5, 4e-5, 5e-5),
        "epochs": (4, 8),
        "alpha": (0.7, 0.9),
        "temperature": (1, 2, 3, 4, 5),
        "lambda_relation": (0.1, 1, 10, 100, 1000),
        "lambda_ckd": (1, 10, 100, 1000),
    }


def test_a_joint_space_counts_and_walks_its_branches(tmp_path: Path) -> None:
    space = load(write(tmp_path, JOINT), FIELDS)
    points = list(space.grid())
    # none: 2 rates; kd: 2 x 3; ckd paper: 2 x 3 x 3 deltas; ckd code: 2 x 3
    assert space.size() == len(points) == len({tuple(p.items()) for p in points}) == 2 + 6 + 18 + 6
    asked: list[str] = []
    values = {dimension.name: dimension.values for dimension in space.dimensions}

    def last(name: str, _: BaseDistribution) -> Any:
        asked.append(name)
        return values[name][-1]

    assert space.walk(last) == {"method": "ckd", "learning_rate": 5e-5, "temperature": 4, "variant": "code"}
    assert asked == ["method", "learning_rate", "temperature", "variant"]


def test_fixed_values_are_never_asked_for_and_are_in_the_point() -> None:
    space = load("kd")
    point = space.walk(lambda name, _: {"learning_rate": 1e-5, "temperature": 5, "alpha": 0.2}[name])
    assert point["batch_size"] == 32
    assert set(space.searched(point)) == {"learning_rate", "temperature", "alpha"}


def test_an_endless_space_has_neither_size_nor_grid(tmp_path: Path) -> None:
    text = "method: kd\nparameters: {temperature: {float: [1, 20]}, alpha: {log: [0.1, 1]}, epochs: {int: [2, 4]}}"
    space = load(write(tmp_path, text), FIELDS)
    assert space.size() is None
    with pytest.raises(UserError, match="no grid: temperature, alpha may take"):
        space.grid()
