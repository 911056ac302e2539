"""The tiny setting, built once a session, with teachers that know their task."""

from __future__ import annotations

import pytest

from tests.train.setting import TRAINING, Setting, build, save_teacher

TAUGHT = TRAINING.model_copy(update={"epochs": 12.0, "evaluations": 2})


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Two classes."""
    return taught(tmp_path_factory, regression=False)


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A real number."""
    return taught(tmp_path_factory, regression=True)


@pytest.fixture(params=["classes", "numbers"])
def either(request: pytest.FixtureRequest) -> Setting:
    """Both, one after the other."""
    setting: Setting = request.getfixturevalue(request.param)
    return setting


def taught(factory: pytest.TempPathFactory, *, regression: bool) -> Setting:
    """A setting whose teacher was trained, by the loop under test."""
    setting = build(factory.mktemp("setting"), regression=regression)
    teacher = setting.teacher()
    reports = setting.run(setting.recipe("none"), setting.folder / "run", teacher, training=TAUGHT)
    assert reports[-1].score > 0.9, "the toy task is too hard for its teacher"
    save_teacher(setting, teacher)
    return setting
