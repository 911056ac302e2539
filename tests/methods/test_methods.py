"""What holds of every method: true needs, checked parameters, a loss that trains the student and never the teacher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raykd.errors import UserError
from raykd.methods import METHODS, find
from raykd.methods.method import Answers, Parameters
from raykd.methods.recipe import Recipe
from tests.methods.steps import Stand, made_of, pair

# Settings beside the defaults that give a method other terms.
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "kd": ({"alpha": 0.0}, {"alpha": 1.0}),
    "ckd": ({"variant": "code"}, {"lambda_ckd": 0.0}, {"lambda_relation": 0.0}, {"variant": "code", "word_pair": 0.0}),
    "fsd_i": ({"variant": "code"}, {"structure_weight": 0.0}),
    "fsd_l": ({"variant": "code"}, {"layer": "last"}),
    "fsd_g": ({"variant": "code"}, {"clustering": "published"}, {"distance_share": 0.0}, {"structure_weight": 0.0}),
    "fsd": ({"variant": "code"}, {"global_share": 0.0}, {"global_share": 1.0}, {"centroids": 4}),
    "pkd": ({"strategy": "last"}, {"variant": "paper"}, {"beta": 0.0}),
    "distilbert": ({"alpha_cos": 0.0}, {"alpha_hard": 0.0}),
    "tinybert": ({"variant": "code"}, {"attention": 0.0}, {"hidden": 0.0}, {"regression_target": "teacher"}),
    "minilm": ({"teacher_layer": 3}, {"alpha": 0.0}, {"relations": 0.0}),
    "minilmv2": ({"teacher_layer": 3, "relation_heads": 8}, {"alpha": 1.0}),
    "tkd": ({"reduction": "sum"}, {"nodes": "multiset"}, {"start": 0.0}, {"gamma": 0.0}, {"children": 20}),
    "ts_tkd": ({"nodes": "multiset"}, {"reduction": "sum"}),
    "all_kd": ({"reduction": "sum"}, {"alpha": 1.0, "beta": 0.0}),
    "all_ts_tkd": ({"eta": 0.0}, {"gamma": 0.0, "eta": 0.0}),
    "lrc_bert": (
        *({"view": view, "projection": "per_layer"} for view in ("token", "cls", "mean")),
        {"hard": "onehot", "perturb": False},
        {"first": 0.0, "alpha": 0.0},
    ),
    "alp_kd": ({"kind": "no"}, {"kind": "po"}, {"lambda_alp": 0.0}),
    "ckd_combinatorial": ({"variant": "paper"}, {"combination": "skip"}, {"combination": "overlap", "beta": 0.0}),
    "annealing_kd": ({"tau_max": 1}, {"phase": 0.25}),
    "takd": ({"lambda_kd": 1.0}, {"assistants": "cut:4+cut:3"}),
    "label_smoothing": ({"onto": "others"}, {"smoothing": 0.0}),
    "tf_reg": ({"alpha": 0.0}, {"multiplier": 1.0}),
    "self_kd": ({"multiplier": 10.0},),
    "born_again": ({"generations": 1}, {"alpha": 0.0}),
    "rkd": ({"feature": "mean"}, {"alpha": 0.5, "angle": 0.0}, {"distance": 0.0}),
    "cc": ({"feature": "mean"}, {"alpha": 1.0}),
    "sp": ({"feature": "mean"}, {"alpha": 0.5}),
    "pkt": ({"feature": "mean"}, {"alpha": 0.5}),
    "crd": ({"feature": "mean"}, {"alpha": 0.5, "negatives": 2}),
    "mix": (
        {"word_pair": 1, "word_angle": 1, "layer_pair": 1, "layer_angle": 1, "inner_first": 0.5},
        {"hidden": 1, "hidden_cosine": 1, "cls_patience": 1, "alp": 1, "cos_nce": 1, "alignment": "uniform"},
        {"attention": 1, "relation_qk": 1, "relation_qq": 1, "relation_kk": 1, "relation_vv": 1, "soft": 0},
        {"cka_intra": 1, "cka_local": 1, "fsp": 1, "mmd": 1, "alignment": "final", "hard": 0},
        {"rkd_distance": 1, "rkd_angle": 1, "sp": 1, "pkt": 1, "logits_mse": 1, "inner_first": 0.2},
    ),
    "mate_kd": ({"divergence": "kl"}, {"alpha_adversarial": 0.0}, {"alpha_soft": 0.0}),
    "combined_kd": ({"variant": "bert"}, {"alpha_adversarial": 0.0}, {"alpha_soft": 0.0}),
    "minimax_knn": ({"alpha_aug": 0.0}, {"neighbours": 1, "selected": 1}, {"min_distance": 0.1}),
}
# Methods that compare vectors as they are, and so want networks of one width.
TREES = frozenset({"tkd", "teacher_tkd", "ts_tkd", "rand_tkd", "all_kd", "all_tkd", "all_teacher_tkd", "all_ts_tkd"})
ONE_WIDTH = frozenset({"pkd", "distilbert"}) | TREES
DRAWS = [(name, draw) for name in METHODS for draw in ({}, *VARIANTS.get(name, ()))]
TASKS: dict[bool, Answers] = {False: "classes", True: "number"}
CASES = [(name, draw, task) for name, draw in DRAWS for task in TASKS if TASKS[task] in METHODS[name].answers]
each_case = pytest.mark.parametrize(
    ("name", "draw", "regression"), CASES, ids=[f"{name}-{draw}-{TASKS[task]}" for name, draw, task in CASES]
)


def recipe_of(name: str, draw: dict[str, Any], *, regression: bool) -> tuple[Stand, Recipe]:
    widths = (16, 16) if name in ONE_WIDTH else (24, 16)
    method, networks = METHODS[name], pair(4, 2, answers="number" if regression else "classes", hidden=widths)
    return Stand(networks), method.recipe(method.parameters.model_validate(draw), networks)


@each_case
def test_a_term_declares_what_it_uses_and_uses_what_it_declares(
    name: str, draw: dict[str, Any], regression: bool
) -> None:
    scene, recipe = recipe_of(name, draw, regression=regression)
    for stage in recipe.stages:
        assert stage.active
        for term in stage.terms:
            term.loss(scene.step(recipe))
            assert scene.student.taken == term.student, f"{term.name}: of the student"
            wanted = {replace(need, padding=False) for need in term.teacher}  # what is looked at where, test_padding
            assert scene.teacher.taken == wanted, f"{term.name}: of the teacher"


@each_case
def test_a_term_is_a_finite_number_with_gradients_for_the_student_alone(
    name: str, draw: dict[str, Any], regression: bool
) -> None:
    scene, recipe = recipe_of(name, draw, regression=regression)
    for stage in recipe.stages:
        for term in stage.terms:
            loss = term.loss(scene.step(recipe))
            assert loss.shape == ()
            assert loss.dtype == torch.float32
            assert torch.isfinite(loss)
            assert loss > 0
            loss.backward()
        for answer in scene.teacher.answers.values():
            assert answer.grad is None
        # A tree's attention maps only choose which tokens count.
        needs = {need for term in stage.terms for need in term.student if name not in TREES or need.kind != "attention"}
        used = [scene.student.answers[state] for need in needs for state in made_of(need)]
        assert all(answer.grad is not None and torch.isfinite(answer.grad).all() for answer in used)


@each_case
def test_stages_are_in_order_and_end_with_the_run(name: str, draw: dict[str, Any], regression: bool) -> None:
    _, recipe = recipe_of(name, draw, regression=regression)
    ends = [stage.until for stage in recipe.stages]
    assert ends == sorted(set(ends))
    assert ends[-1] == 1.0
    assert recipe.stages[-1].scored  # a sweep compares by the last report
    for stage in recipe.stages:
        names = [term.name for term in stage.terms]
        assert len(set(names)) == len(names)
        assert "loss" not in names  # the loop reports the sum by that name
        assert all(term.weight >= 0 for term in stage.terms)


@pytest.mark.parametrize("name", METHODS)
def test_whether_a_teacher_is_needed_is_what_the_terms_say(name: str) -> None:
    _, recipe = recipe_of(name, {}, regression=False)
    method, networks = METHODS[name], pair(4, 2)
    if method.chain is None:
        assert method.needs_teacher == bool(recipe.teacher_needs() or recipe.live)
        return
    links = method.links(method.parameters(), networks)
    asks = [link.recipe(networks).teacher_needs() for link in links]
    assert [bool(needs) for needs in asks] == [link.taught_by != "nobody" for link in links]
    given = links[0].taught_by != "nobody" or any(link.taught_by == "teacher" for link in links)
    assert method.needs_teacher == given


@pytest.mark.parametrize("name", METHODS)
def test_it_is_listed_under_its_own_name_with_its_source(name: str) -> None:
    method = METHODS[name]
    assert find(name) is method
    assert method.name == name
    assert method.title
    assert any(letter.isdigit() for letter in method.paper)  # a year
    assert issubclass(method.parameters, Parameters)
    assert all(field.description for field in method.parameters.model_fields.values())


def test_an_unknown_method_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown method 'kdd': did you mean 'kd'\? \(allowed: none, kd, ckd"):
        find("kdd")


@pytest.mark.parametrize("name", METHODS)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="lamda"):
        METHODS[name].parameters.model_validate({"lamda": 1.0})


BAD = [
    ("kd", {"temperature": 0}),
    ("kd", {"temperature": -1.0}),
    ("kd", {"temperature": float("inf")}),
    ("kd", {"temperature": float("nan")}),
    ("kd", {"alpha": 1.7}),
    ("kd", {"alpha": -0.1}),
    ("kd", {"alpha": float("nan")}),
    ("ckd", {"temperature": 0}),
    ("ckd", {"alpha": 1.7}),
    ("ckd", {"lambda_ckd": -1}),
    ("ckd", {"lambda_relation": -0.5}),
    ("ckd", {"word_angle": float("inf")}),
    ("ckd", {"delta": 0}),
    ("ckd", {"delta": 2.5}),
    ("ckd", {"variant": "article"}),
    ("pd", {"temperature": 0}),
    ("fsd_i", {"alpha_hard": 1.5}),
    ("fsd_l", {"layer": "first"}),
    ("fsd_g", {"clustering": "means"}),
    ("fsd_g", {"distance_share": 30}),
    ("fsd", {"global_share": 5}),
    ("fsd", {"centroids": 0}),
    ("fsd_il", {"intra_share": -0.1}),
    ("pkd", {"strategy": "first"}),
    ("pkd", {"beta": -1}),
    ("distilbert", {"alpha_cos": -0.1}),
    ("tinybert", {"intermediate": 0}),
    ("tinybert", {"intermediate": 1.0}),
    ("tinybert", {"regression_target": "both"}),
    ("minilm", {"teacher_layer": -1}),
    ("minilm", {"relation_heads": 4}),
    ("minilmv2", {"relation_heads": 2.5}),
    ("tkd", {"alpha": 1.1}),
    ("tkd", {"children": 0}),
    ("tkd", {"start": 1.0}),
    ("tkd", {"nodes": "list"}),
    ("all_tkd", {"eta": -1}),
    ("rand_tkd", {"reduction": "mean"}),
    ("lrc_bert", {"first": 1.0}),
    ("lrc_bert", {"tau": 0}),
    ("lrc_bert", {"view": "max"}),
    ("lrc_bert", {"hard": "soft"}),
    ("lrc_bert", {"projection": "none"}),
    ("alp_kd", {"kind": "some"}),
    ("alp_kd", {"lambda_alp": -1}),
    ("ckd_combinatorial", {"combination": "regular_comb"}),
    ("ckd_combinatorial", {"beta": 1.5}),
    ("annealing_kd", {"tau_max": 0}),
    ("annealing_kd", {"tau_max": 7.5}),
    ("annealing_kd", {"phase": 1.0}),
    ("takd", {"lambda_kd": 1.05}),
    ("takd", {"temperature": 0}),
    ("takd", {"assistants": 9}),
    ("label_smoothing", {"smoothing": 1.0}),
    ("label_smoothing", {"onto": "all"}),
    ("tf_reg", {"correct_probability": 1.1}),
    ("tf_reg", {"temperature": 0}),
    ("self_kd", {"multiplier": -1}),
    ("reversed_kd", {"alpha": 2}),
    ("defective_kd", {"teacher_epochs": 0}),
    ("born_again", {"generations": 0}),
    ("born_again", {"generations": 2.5}),
    ("rkd", {"distance": -1}),
    ("rkd", {"feature": "token"}),
    ("cc", {"alpha": 1.5}),
    ("sp", {"sp": float("nan")}),
    ("pkt", {"temperature": 0}),
    ("crd", {"negatives": 0}),
    ("crd", {"tau": 0}),
    ("crd", {"momentum": 1.0}),
    ("mix", {"tree": -1}),
    ("mix", {"alignment": "last"}),
    ("mix", {"inner_first": 1.0}),
    ("mix", {"children": 0}),
    ("mate_kd", {"mask_probability": 0}),
    ("mate_kd", {"mask_probability": 1.5}),
    ("mate_kd", {"divergence": "js"}),
    ("mate_kd", {"generator_turns": 0}),
    ("mate_kd", {"generator_learning_rate": 0}),
    ("combined_kd", {"phase": 1.0}),
    ("combined_kd", {"tau_max": 0}),
    ("combined_kd", {"variant": "electra"}),
    ("minimax_knn", {"selected": 0}),
    ("minimax_knn", {"min_distance": -0.1}),
    ("minimax_knn", {"max_distance": 1.5}),
]


@pytest.mark.parametrize(("name", "bad"), BAD, ids=[f"{name}-{bad}" for name, bad in BAD])
def test_a_value_that_makes_no_sense_is_refused(name: str, bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        METHODS[name].parameters.model_validate(bad)


@pytest.mark.parametrize("name", METHODS)
def test_all_that_is_wrong_is_said_at_once(name: str) -> None:
    numbers = [key for key, field in METHODS[name].parameters.model_fields.items() if field.annotation in (int, float)]
    given = dict.fromkeys([*numbers, "lamda"], float("inf"))
    with pytest.raises(ValidationError) as caught:
        METHODS[name].parameters.model_validate(given)
    assert {error["loc"][0] for error in caught.value.errors()} == given.keys()
