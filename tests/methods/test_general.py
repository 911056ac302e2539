"""The general stage: only what looks inside the networks is left."""

from __future__ import annotations

import pytest

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.methods.general import general
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


@pytest.mark.parametrize("name", sorted(set(METHODS) - NONE))
def test_no_term_looks_at_answers(name: str) -> None:
    method, networks = METHODS[name], pair(4, 2, hidden=(24, 24))
    recipe = method.recipe(method.parameters(), networks)
    found = general(method, recipe)
    [stage] = found.stages
    assert stage.active
    assert LOGITS not in stage.student_needs() | stage.teacher_needs()
    assert (stage.until, stage.anew, stage.from_best) == (1.0, False, False)
    assert found.extras == recipe.extras
    if name in HAVE:
        assert {term.name for term in stage.active} == HAVE[name]


@pytest.mark.parametrize("name", sorted(NONE))
def test_answers_alone_are_no_general_stage(name: str) -> None:
    method, networks = METHODS[name], pair(4, 2)
    with pytest.raises(UserError, match=f"method '{name}' .* no general stage"):
        general(method, method.recipe(method.parameters(), networks))
