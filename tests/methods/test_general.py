"""The general stage: only what looks inside the networks is left."""

from __future__ import annotations

import pytest

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.methods.general import general, in_general
from raykd.methods.seen import LOGITS
from tests.methods.steps import pair

HAVE = {
    "ckd": {"word_pair", "word_angle", "layer_pair", "layer_angle"},
    "lrc_bert": {"contrast"},
    "minilmv2": {"relations"},
    "tinybert": {"embedding", "hidden", "attention"},
    "tkd": {"patience", "tree"},
}


# Methods that look at answers alone, or train on those of a task.
NONE = {
    *("none", "kd", "pd", "takd", "born_again", "annealing_kd", "combined_kd", "mate_kd", "minimax_knn", "mix"),
    *("label_smoothing", "tf_reg", "self_kd", "reversed_kd", "defective_kd"),
}


# Methods with a recipe of their own for this stage.
OWN = {name for name, method in METHODS.items() if method.general is not None}


@pytest.mark.parametrize("name", sorted(set(METHODS) - NONE - OWN))
def test_no_term_looks_at_answers(name: str) -> None:
    method, networks = METHODS[name], pair(4, 2, hidden=(24, 24))
    recipe = method.recipe(method.parameters(), networks)
    found = general(method, method.parameters(), networks)
    [stage] = found.stages
    assert stage.active
    assert LOGITS not in stage.student_needs() | stage.teacher_needs()
    assert (stage.until, stage.anew, stage.from_best) == (1.0, False, False)
    assert found.extras.keys() == recipe.extras.keys()
    if name in HAVE:
        assert {term.name for term in stage.active} == HAVE[name]


@pytest.mark.parametrize("name", sorted(NONE))
def test_answers_alone_are_no_general_stage(name: str) -> None:
    method, networks = METHODS[name], pair(4, 2)
    with pytest.raises(UserError, match=f"method '{name}' .* no general stage"):
        general(method, method.parameters(), networks)


def test_a_recipe_of_its_own_is_taken_with_its_own_hyperparameters() -> None:
    assert sorted(OWN) == ["distilbert"]
    method, networks = METHODS["distilbert"], pair(4, 2, hidden=(24, 24))
    stage = in_general(method)
    assert "positions" in stage.parameters.model_fields
    assert "positions" not in method.parameters.model_fields
    own, taken = (recipe.stages[0].active for recipe in (
        stage.recipe(stage.parameters(), networks), general(method, stage.parameters(), networks)
    ))  # fmt: skip
    assert [(term.name, term.weight) for term in own] == [(term.name, term.weight) for term in taken]
    assert in_general(METHODS["kd"]) is METHODS["kd"]
