"""Minimax-kNN: which neighbours are learned from, and the sum."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from raykd.errors import UserError
from raykd.methods import minimax_knn
from raykd.methods.method import Answers
from raykd.methods.minimax_knn import MinimaxParameters
from raykd.methods.recipe import Live, Recipe, Step
from raykd.methods.seen import LOGITS
from tests.methods.bench import bench
from tests.methods.steps import Stand, pair, terms


def stand(answers: Answers = "classes", **draw: Any) -> tuple[Stand, Recipe, Step]:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), minimax_knn.recipe(MinimaxParameters.model_validate(draw), networks)
    return scene, recipe, scene.step(recipe)


def live_of(step: Step) -> Live:
    assert step.live is not None
    return step.live


def hard_rows(scene: Stand, step: Step, selected: int, temperature: float) -> tuple[list[int], list[int]]:
    """Rows of the corpus to be learned from, and all candidates, in plain loops."""
    live, told = live_of(step), step.facts["corpus_logits"]
    chosen, every = [], []
    for row in step.rows.tolist():
        scored = []
        for candidate in step.facts["neighbours"][row].tolist():
            if candidate < 0:
                continue
            every.append(candidate)
            with torch.no_grad():
                said = scene.reading(live.student, live.corpus.batch([candidate]), {LOGITS}).logits[0]  # type: ignore[union-attr]
            p, q = (logits / temperature for logits in (told[candidate], said))
            if scene.pair.regression:
                score = (told[candidate] - said).square().sum()
            else:
                score = (p.softmax(-1) * (p.log_softmax(-1) - q.log_softmax(-1))).sum()
            scored.append((score.item(), candidate))
        chosen += [candidate for _, candidate in sorted(scored, reverse=True)[:selected]]
    return chosen, every


@pytest.mark.parametrize("answers", ["classes", "number"])
@pytest.mark.parametrize("selected", [1, 2])
def test_it_learns_from_the_hardest_of_each_text(answers: Answers, selected: int) -> None:
    scene, recipe, step = stand(answers, neighbours=3, selected=selected, temperature=2.0)
    chosen, every = hard_rows(scene, step, selected, 2.0)
    assert len(every) == 9
    scene.reading.asked.clear()
    loss = terms(recipe)["neighbours"].loss(step)
    (_, judged, _), (_, learned, _) = scene.reading.asked
    assert judged.rows.tolist() == every
    assert learned.rows.tolist() == chosen
    told = step.facts["corpus_logits"][chosen]
    said = scene.reading(live_of(step).student, learned, {LOGITS}).logits
    if answers == "number":
        expected = F.mse_loss(said, told)
    else:
        expected = 4 * F.kl_div((said / 2).log_softmax(-1), (told / 2).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(weight.grad is not None for weight in live_of(step).student.parameters())


def test_the_sum() -> None:
    scene, recipe, step = stand(alpha_ce=2.0, alpha_true=3.0, alpha_aug=5.0, temperature=4.0)
    of = {term.name: term for term in recipe.stages[0].active}
    assert {name: term.weight for name, term in of.items()} == {"hard": 3.0, "soft": 2.0, "neighbours": 5.0}
    student, teacher = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    expected = 16 * F.kl_div((student / 4).log_softmax(-1), (teacher / 4).softmax(-1), reduction="batchmean")
    torch.testing.assert_close(of["soft"].loss(step), expected)


def test_the_student_judges_without_dropout_and_learns_with_it() -> None:
    _, recipe, step = stand()
    modes: list[tuple[bool, bool]] = []
    student = live_of(step).student.train()
    student.register_forward_pre_hook(lambda module, _: modes.append((module.training, torch.is_grad_enabled())))
    terms(recipe)["neighbours"].loss(step)
    assert modes == [(False, False), (True, True)]
    assert student.training


def test_where_there_is_no_neighbour_there_is_nothing_to_learn() -> None:
    _, recipe, step = stand()
    step.facts["neighbours"].fill_(-1)
    loss = terms(recipe)["neighbours"].loss(step)
    loss.backward()
    assert loss.item() == 0


def test_a_text_with_few_neighbours_counts_with_those_it_has() -> None:
    scene, recipe, step = stand(neighbours=3, selected=2)
    step.facts["neighbours"][0] = torch.tensor([4, -1, -1])
    chosen, _ = hard_rows(scene, step, 2, 5.0)
    assert len(chosen) == 5
    scene.reading.asked.clear()
    terms(recipe)["neighbours"].loss(step)
    assert scene.reading.asked[1][1].rows.tolist() == chosen


def test_the_weights_learn_under_autocast_too() -> None:
    """Half-precision copies of weights, made while no gradients are kept, must not be taken for those that are."""
    on = bench("bert", "minimax_knn", "classes", alpha_ce=0.0, alpha_true=0.0)
    with torch.autocast("cpu", torch.bfloat16):
        on.loss(on.recipe.stages[0], on.texts.batch(range(4))).backward()
    inside = on.student.get_parameter("bert.encoder.layer.0.attention.self.query.weight")
    assert inside.grad is not None
    assert inside.grad.any()


def test_neighbours_that_do_not_count_are_not_looked_for() -> None:
    _, recipe, step = stand(alpha_aug=0.0)
    assert recipe.facts == ()
    assert not recipe.live
    assert step.live is None


def test_what_cannot_be_is_refused_all_at_once() -> None:
    bad = MinimaxParameters(
        neighbours=3, selected=4, min_distance=0.3, max_distance=0.2, alpha_ce=0, alpha_true=0, alpha_aug=0
    )
    with pytest.raises(UserError) as caught:
        minimax_knn.recipe(bad, pair(4, 2))
    selected, distance, weights = caught.value.problems
    assert selected == "selected: 4 of 3 neighbours; give 1 to 3"
    assert "max_distance: 0.2 is below min_distance 0.3; give 0.3 to 1, or 0" in distance
    assert "alpha_ce, alpha_true, alpha_aug: all are 0" in weights


def test_it_wants_texts_of_yours() -> None:
    with pytest.raises(UserError, match="--corpus"):
        minimax_knn.METHOD.links(MinimaxParameters(), pair(4, 2))
