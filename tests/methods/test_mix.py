"""The free mix: what it equals with the terms of a method, its table of terms, layers, stages, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raykd.errors import UserError
from raykd.losses import logits_mse
from raykd.losses.teacher_free import label_smoothing
from raykd.methods import METHODS, mix
from raykd.methods.method import Pair
from raykd.methods.mix_parameters import MixParameters
from raykd.methods.mix_terms import INNER
from raykd.methods.recipe import Recipe, Stage
from raykd.methods.seen import LOGITS, Need
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.kinds import KINDS
from tests.methods.bench import bench
from tests.methods.steps import MASK, Stand, layers, pair, terms

ON_LOGITS = ("hard", "soft", "logits_mse")
each_term = pytest.mark.parametrize("name", INNER)


def recipe_of(networks: Pair, **draw: Any) -> Recipe:
    return mix.recipe(MixParameters.model_validate(draw), networks)


def total(stage: Stage, scene: Stand, recipe: Recipe) -> float:
    """The student's maps begin at the same values: `step` seeds them."""
    step = scene.step(recipe)
    torch.manual_seed(5)
    return sum(term.weight * term.loss(step).item() for term in stage.active)


def test_every_weight_has_its_term() -> None:
    weights = {name for name, field in MixParameters.model_fields.items() if str(field.description)[:6] == "weight"}
    assert weights == {*ON_LOGITS, *INNER}
    assert not any(MixParameters().model_dump()[name] for name in INNER)


# The mix, and the method that it then is. Widths are equal where the method wants them so.
SAME: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int]]] = {
    "kd": ({"hard": 0.25, "soft": 0.75, "temperature": 3.0}, {"alpha": 0.75, "temperature": 3.0}, (24, 16)),
    "ckd": (
        {"word_pair": 10, "word_angle": 5, "layer_pair": 10, "layer_angle": 5, "delta": 2, "temperature": 3.0},
        {"alpha": 0.9, "lambda_ckd": 10, "lambda_relation": 0.5, "delta": 2},
        (24, 16),
    ),
    "distilbert": (
        {"soft": 5, "hard": 2, "hidden_cosine": 1, "alignment": "final"},
        {"alpha_ce": 5, "alpha_hard": 2, "alpha_cos": 1, "temperature": 2.0},
        (16, 16),
    ),
    "minilmv2": (
        {"relation_qq": 3, "relation_kk": 3, "relation_vv": 3, "relation_heads": 4, "alignment": "final"},
        {"relations": 3, "relation_heads": 4, "alpha": 0.9, "temperature": 2.0},
        (24, 16),
    ),
    "minilm": (
        {"relation_qk": 3, "relation_vv": 3, "relation_heads": 4, "alignment": "final"},
        {"relations": 3, "alpha": 0.9, "temperature": 2.0},
        (24, 16),
    ),
    "rkd": (
        {"hard": 1, "soft": 0, "rkd_distance": 25, "rkd_angle": 50},
        {"distance": 25, "angle": 50},
        (24, 16),
    ),
    "sp": ({"hard": 1, "soft": 0, "sp": 3000}, {"sp": 3000}, (24, 16)),
    "pkt": ({"hard": 1, "soft": 0, "pkt": 30000}, {"pkt": 30000}, (24, 16)),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("answers", ["classes", "number"])
def test_with_the_terms_of_a_method_it_is_that_method(name: str, answers: Any) -> None:
    draw, of_method, widths = SAME[name]
    networks = pair(4, 2, answers=answers, hidden=widths)
    scene, ours = Stand(networks), recipe_of(networks, **draw)
    theirs = METHODS[name].recipe(METHODS[name].parameters.model_validate(of_method), networks)
    assert total(ours.stages[0], scene, ours) == pytest.approx(total(theirs.stages[0], scene, theirs), rel=1e-5)
    assert ours.teacher_needs() == theirs.teacher_needs()
    assert ours.stages[0].student_needs() == theirs.stages[0].student_needs()


def test_its_default_is_kd() -> None:
    networks = pair(4, 2)
    scene, ours, theirs = (
        Stand(networks),
        recipe_of(networks),
        METHODS["kd"].recipe(METHODS["kd"].parameters(), networks),
    )
    assert total(ours.stages[0], scene, ours) == pytest.approx(total(theirs.stages[0], scene, theirs), rel=1e-6)
    assert not ours.extras
    assert len(ours.stages) == 1


@pytest.mark.parametrize(("term", "method", "of_method"), [("hidden", "tinybert", "hidden"), ("tree", "tkd", "tree")])
def test_a_term_in_two_stages_is_that_of_its_method(term: str, method: str, of_method: str) -> None:
    networks = pair(4, 2, hidden=(16, 16))
    scene, ours = Stand(networks), recipe_of(networks, **{term: 1.0}, alignment="uniform")
    theirs = METHODS[method].recipe(METHODS[method].parameters(), networks)
    [named] = [one for stage in theirs.stages for one in stage.terms if one.name == of_method]
    step, other = scene.step(ours), scene.step(theirs)
    if term == "hidden":
        other.extras["map_hidden"].load_state_dict(step.extras["map_hidden"].state_dict())
    assert terms(ours)[term].loss(step).item() == pytest.approx(named.loss(other).item(), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@each_term
def test_each_term_on_every_kind_of_network(kind: str, name: str) -> None:
    on = bench(kind, "mix", "classes", **{name: 1.0})
    [stage] = on.recipe.stages
    assert [term.name for term in stage.active] == ["hard", "soft", name]
    alone = Stage(terms=stage.terms[3:])
    loss = on.loss(alone, on.texts.batch(range(4)))
    loss.backward()
    assert loss.item() > -1e-8  # a relation that hardly differs, in float32
    gradients = [weight.grad for weight in on.objective.parameters() if weight.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(bool(gradient.any()) for gradient in gradients)


@each_term
def test_padding_changes_no_term(name: str) -> None:
    on = bench("bert", "mix", "classes", **{name: 1.0}, alignment="emb+skip" if "layer_" in name else "uniform")
    on.objective.eval()
    batch = on.texts.batch(range(4))
    ids, mask = (torch.nn.functional.pad(part, (0, 5)) for part in (batch.input_ids, batch.attention_mask))
    padded = Batch(ids + 9 * (1 - mask), mask, None, batch.labels, batch.rows)
    alone = Stage(terms=on.recipe.stages[0].terms[3:])
    torch.testing.assert_close(on.loss(alone, padded), on.loss(alone, batch), rtol=5e-5, atol=1e-6)


@each_term
def test_one_text_of_one_word_is_finite(name: str) -> None:
    on = bench("bert", "mix", "number", **{name: 1.0})
    whole = on.texts.batch([0])
    mask = torch.zeros_like(whole.attention_mask)
    mask[:, 0] = 1
    loss = on.loss(on.recipe.stages[0], Batch(whole.input_ids, mask, None, whole.labels, whole.rows))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(w.grad).all() for w in on.objective.parameters() if w.grad is not None)


@each_term
def test_a_term_sees_what_it_declares_and_has_a_map_of_its_own(name: str) -> None:
    for widths in ((24, 16), (16, 16)):
        networks = pair(4, 2, hidden=widths)
        scene, recipe = Stand(networks), recipe_of(networks, **{name: 2.0})
        step, term = scene.step(recipe), terms(recipe)[name]
        term.loss(step)
        assert term.weight == 2.0
        assert (scene.student.taken, scene.teacher.taken) == (term.student, term.teacher)
        fit = INNER[name].fit
        wanted = fit == "always" or (fit == "unequal" and widths == (24, 16))
        assert set(recipe.extras) == ({f"map_{name}"} if wanted else set())


@pytest.mark.parametrize(
    ("alignment", "states", "inside"),
    [
        ("emb+skip", ((0, 2, 4), (0, 1, 2)), ((2, 4), (1, 2))),
        ("uniform", ((2, 4), (1, 2)), ((2, 4), (1, 2))),
        ("final", ((4,), (2,)), ((4,), (2,))),
        ("emb", ((0,), (0,)), None),
        ("emb+final", ((0, 4), (0, 2)), ((4,), (2,))),
        ("triple", ((0, 2, 4), (0, 1, 2)), ((2, 4), (1, 2))),
    ],
)
def test_the_alignment_says_which_layers(alignment: str, states: Any, inside: Any) -> None:
    networks = pair(4, 2)
    term = terms(recipe_of(networks, mmd=1, alignment=alignment))["mmd"]
    assert (layers(term.teacher), layers(term.student)) == states
    if inside is None:
        with pytest.raises(UserError, match="attention: alignment 'emb' of 4 and 2 layers gives it 0 to look at"):
            recipe_of(networks, attention=1, alignment=alignment)
        return
    term = terms(recipe_of(networks, attention=1, alignment=alignment))["attention"]
    assert (layers(term.teacher), layers(term.student)) == inside


def test_terms_on_samples_see_the_last_layer_and_alp_all() -> None:
    found = terms(recipe_of(pair(4, 2), sp=1, alp=1, alignment="emb"))
    assert (found["sp"].teacher, found["sp"].student) == ({Need("cls", 4)}, {Need("cls", 2)})
    assert (layers(found["alp"].teacher), layers(found["alp"].student)) == ((1, 2, 3, 4), (1, 2))


def test_inner_terms_may_train_first() -> None:
    first, whole = recipe_of(pair(4, 2), hidden=2, sp=3, inner_first=0.4).stages
    assert (first.until, first.scored, whole.until, whole.scored) == (0.4, False, 1.0, True)
    assert {term.name: term.weight for term in first.terms} == {"hidden": 2, "sp": 3}
    assert LOGITS not in first.teacher_needs() | first.student_needs()
    assert [term.name for term in whole.active] == ["hard", "soft", "hidden", "sp"]
    assert len(recipe_of(pair(4, 2), inner_first=0.4).stages) == 1  # nothing could train


def test_labels_may_be_smoothed() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), recipe_of(networks, smoothing=0.2)
    step = scene.step(recipe)
    expected = label_smoothing(scene.student.answers[LOGITS], step.labels, 0.2, onto="every")
    assert terms(recipe)["hard"].loss(step).item() == expected.item()
    for answers in ("number", "span"):
        with pytest.raises(UserError, match=rf"smoothing: 0.2 spreads over classes; .* is a {answers}, give 0"):
            recipe_of(pair(4, 2, answers=answers), smoothing=0.2)


def test_the_squared_difference_of_a_spans_logits_is_that_of_real_positions() -> None:
    networks = pair(4, 2, answers="span")
    scene, recipe = Stand(networks), recipe_of(networks, logits_mse=1)
    real = MASK.repeat(2, 1) == 1
    student, teacher = (side.answers[LOGITS][real] for side in (scene.student, scene.teacher))
    expected = logits_mse(student, teacher)
    assert terms(recipe)["logits_mse"].loss(scene.step(recipe)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_does_not_fit_is_said_at_once_and_only_where_it_weighs() -> None:
    odd = Pair(Shape(4, 24, 4, 40), Shape(5, 16, 2, 40))
    draw = {"attention": 1, "tree": 1, "relation_vv": 1, "relation_heads": 3, "hard": 0, "soft": 0}
    with pytest.raises(UserError) as caught:
        recipe_of(odd, **draw, alignment="uniform", smoothing=0.1)
    text = "\n".join(caught.value.problems)
    assert "hard, soft, logits_mse: all are 0" in text
    assert "the student has 5, the teacher 4" in text
    assert "tree, attention: the student has 2 heads, the teacher 4" in text
    assert "relation_heads: 3 does not divide both widths" in text
    assert len(caught.value.problems) == 4
    assert recipe_of(odd, relation_heads=3, word_pair=1).extras == {}


def test_relations_of_layers_need_some() -> None:
    with pytest.raises(UserError) as caught:
        recipe_of(pair(4, 2), layer_pair=1, layer_angle=1, alignment="final")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["layer_pair", "layer_angle"]
    with pytest.raises(UserError, match=r"layer_angle: alignment 'emb.final' .* gives it 2 to look at, and it needs 3"):
        recipe_of(pair(4, 2), layer_pair=1, layer_angle=1, alignment="emb+final")
