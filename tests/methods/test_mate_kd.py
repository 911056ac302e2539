"""MATE-KD: the text that is invented, the sums of student and generator, and who gets which gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.losses.adversarial import generator_loss
from raykd.losses.gumbel import mask_tokens, mixed_embeddings, straight_through
from raykd.methods import mate_kd
from raykd.methods.mate_kd import MateParameters
from raykd.methods.method import Answers
from raykd.methods.recipe import Live, Recipe, Step
from raykd.methods.seen import LOGITS
from tests.methods.steps import MASK, Stand, pair, terms

MASKED = 4


def stand(answers: Answers = "classes", **draw: Any) -> tuple[Stand, Recipe, Step]:
    networks = pair(4, 2, answers=answers)
    scene, recipe = Stand(networks), mate_kd.recipe(MateParameters.model_validate(draw), networks)
    return scene, recipe, scene.step(recipe)


def live_of(step: Step) -> Live:
    assert step.live is not None
    return step.live


def words_of(network: nn.Module, embeddings: Tensor) -> Tensor:
    """The ids whose rows of the network's table these embeddings are."""
    table = network.get_parameter("words.weight")
    distance = (embeddings[:, :, None] - table).abs().amax(-1)
    assert (distance.amin(-1) == 0).all()
    return distance.argmin(-1)


def invented(scene: Stand, recipe: Recipe, step: Step) -> tuple[Tensor, Tensor, Tensor]:
    """The term's value, and the texts that student and teacher read."""
    scene.reading.asked.clear()
    value = terms(recipe)["adversarial"].loss(step)
    (student, _, of_student), (teacher, _, of_teacher) = scene.reading.asked
    assert student is live_of(step).student
    assert teacher is live_of(step).teacher
    return value, words_of(student, of_student), words_of(teacher, of_teacher)


def test_both_networks_read_one_text_of_which_ordinary_words_are_invented() -> None:
    scene, recipe, step = stand(mask_probability=1.0)
    ids = step.batch.input_ids
    ids[:, 0] = 2  # special: never masked
    torch.manual_seed(0)
    _, of_student, of_teacher = invented(scene, recipe, step)
    assert torch.equal(of_student, of_teacher)
    changed = of_student != ids
    assert not changed[:, 0].any()
    assert not changed[MASK == 0].any()
    assert changed[:, 1:][MASK[:, 1:] == 1].float().mean() > 0.5  # a word may be drawn again
    _, another, _ = invented(scene, recipe, step)
    assert not torch.equal(another, of_student)  # invented anew each time


def test_the_generator_sees_masks_and_nothing_of_what_they_hide() -> None:
    _, recipe, step = stand(mask_probability=1.0)
    given: list[Tensor] = []
    generator = live_of(step).opponent
    assert generator is not None
    generator.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].input_ids))
    terms(recipe)["adversarial"].loss(step)
    assert (given[0][MASK == 1] == MASKED).all()
    assert torch.equal(given[0][MASK == 0], step.batch.input_ids[MASK == 0])


@pytest.mark.parametrize("kind", ["cross_entropy", "kl"])
def test_the_sum_of_the_student(kind: str) -> None:
    scene, recipe, step = stand(divergence=kind, alpha_hard=2.0, alpha_adversarial=3.0, alpha_soft=5.0)
    torch.manual_seed(1)
    value, text, _ = invented(scene, recipe, step)
    live, mask = live_of(step), step.attention_mask

    def parted(student: Tensor, teacher: Tensor) -> Tensor:
        p, q = teacher.softmax(-1), student.log_softmax(-1)
        return (p * ((p.log() if kind == "kl" else 0) - q)).sum(-1).mean()

    new = [net(net.get_submodule("words")(text), mask, span=False) for net in (live.student, live.teacher)]
    student, teacher = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    torch.testing.assert_close(value, parted(*new))
    torch.manual_seed(1)
    total = sum(term.weight * term.loss(step) for term in recipe.stages[0].active)
    expected = 2 * F.cross_entropy(student, step.labels) + 3 * parted(*new) + 5 * parted(student, teacher)
    torch.testing.assert_close(total, expected)


def test_by_default_each_term_is_a_third() -> None:
    _, recipe, _ = stand()
    assert {term.name: term.weight for term in recipe.stages[0].terms} == pytest.approx(
        dict.fromkeys(("hard", "adversarial", "soft"), 1 / 3)
    )


def test_a_number_learns_by_squares() -> None:
    scene, recipe, step = stand("number")
    torch.manual_seed(1)
    value, text, _ = invented(scene, recipe, step)
    live, mask = live_of(step), step.attention_mask
    new = [net(net.get_submodule("words")(text), mask, span=False) for net in (live.student, live.teacher)]
    torch.testing.assert_close(value, (new[0] - new[1]).square().mean())
    student, teacher = scene.student.answers[LOGITS], scene.teacher.answers[LOGITS]
    torch.testing.assert_close(terms(recipe)["soft"].loss(step), (student - teacher).square().mean())


def test_the_text_is_a_constant_to_the_student() -> None:
    _, recipe, step = stand()
    terms(recipe)["adversarial"].loss(step).backward()
    live = live_of(step)
    assert live.opponent is not None
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in live.student.parameters())
    assert all(weight.grad is None for network in (live.teacher, live.opponent) for weight in network.parameters())


@pytest.mark.parametrize(("answers", "kind"), [("classes", "cross_entropy"), ("classes", "kl"), ("number", "mse")])
def test_the_generator_learns_through_both_networks(answers: Answers, kind: Any) -> None:
    draw = {} if answers == "number" else {"divergence": kind}
    _, recipe, step = stand(answers, **draw)
    live, batch = live_of(step), step.batch
    assert recipe.opponent is not None
    assert live.opponent is not None
    generator = live.opponent.eval()  # the same twice
    weights = list(generator.parameters())

    def by_hand(*, cut: bool) -> Tensor:
        torch.manual_seed(3)
        ids, masked = mask_tokens(batch.input_ids, batch.attention_mask, live.vocabulary.special, MASKED, 0.3)
        words = straight_through(generator(replace(batch, input_ids=ids), masked))
        said = []
        for network in (live.student, live.teacher):
            seen = words.detach() if cut and network is live.teacher else words
            text = mixed_embeddings(batch.input_ids, masked, seen, network.get_parameter("words.weight"))
            said.append(network(text, batch.attention_mask, span=False))
        return generator_loss(said[0], said[1], kind)

    def gradients(loss: Tensor) -> Tensor:
        found = torch.autograd.grad(loss, weights, allow_unused=True)
        return torch.cat([one.flatten() for one in found if one is not None])

    torch.manual_seed(3)
    loss = recipe.opponent.loss(step)
    torch.testing.assert_close(loss, by_hand(cut=False))
    ours = gradients(loss)
    torch.testing.assert_close(ours, gradients(by_hand(cut=False)))
    assert (ours - gradients(by_hand(cut=True))).abs().max() > 1e-3 * ours.abs().max()  # the teacher's path counts
    assert all(weight.grad is None for weight in live.student.parameters())


def test_the_cycle_and_the_rate_are_the_opponents() -> None:
    _, recipe, _ = stand()
    opponent = recipe.opponent
    assert opponent is not None
    assert (opponent.turns, opponent.cycle, opponent.learning_rate, opponent.until) == (10, 100, 5e-7, 1.0)
    _, recipe, _ = stand(generator_turns=2, generator_cycle=7, generator_learning_rate=1e-4)
    assert recipe.opponent is not None
    assert (recipe.opponent.turns, recipe.opponent.cycle, recipe.opponent.learning_rate) == (2, 7, 1e-4)


def test_nobody_is_made_whose_text_counts_for_nothing() -> None:
    _, recipe, step = stand(alpha_adversarial=0.0)
    assert recipe.opponent is None
    assert not recipe.live
    assert step.live is None


def test_a_span_is_two_classifications_of_its_positions() -> None:
    scene, recipe, step = stand("span")
    value, _, _ = invented(scene, recipe, step)
    assert 0 < value.item() < 100  # padded positions count for nothing


def test_all_weights_of_zero_and_unlike_tables_are_refused_together() -> None:
    networks = pair(4, 2)
    networks = replace(networks, student=replace(networks.student, vocabulary=21))
    nothing = MateParameters(alpha_hard=0, alpha_adversarial=0, alpha_soft=0)
    with pytest.raises(UserError) as caught:
        mate_kd.recipe(nothing, networks)
    assert len(caught.value.problems) == 2
    assert "alpha_hard, alpha_adversarial, alpha_soft: all are 0" in str(caught.value)
