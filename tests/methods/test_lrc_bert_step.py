"""LRC-BERT on real, tiny networks: a perturbed step against two passes by hand, and a run that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raykd import losses
from raykd.knowledge.teacher import live_teacher
from raykd.losses.cosine_contrast import cos_nce, softened_hard
from tests.train.setting import TRAINING, Setting, build


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return build(tmp_path_factory.mktemp("setting"), regression=False)


@pytest.mark.parametrize("number", [0, 1], ids=["layers", "all"])
def test_a_perturbed_step_is_that_of_two_passes_by_hand(setting: Setting, number: int) -> None:
    recipe, teacher = setting.recipe("lrc_bert"), setting.teacher()
    batch = setting.split("train").batch(range(6))
    stage = recipe.stages[number]
    told = live_teacher(teacher).answer(batch, stage.teacher_needs())
    student = setting.student(dropout=0.0)
    torch.manual_seed(0)
    objective = setting.objective(recipe, student, teacher)
    projection = objective.extras["projection"]
    named = dict(objective.named_parameters())
    targets = teacher(input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True)
    real = batch.attention_mask.unsqueeze(-1)

    def by_hand(nudge: Tensor | float) -> tuple[Tensor, Tensor]:
        """The total with `nudge` added to what the embedding layer puts out, and that output."""
        outputs: list[Tensor] = []

        def moved(module: nn.Module, given: Any, output: Tensor) -> Tensor:
            outputs.append(output + nudge)
            return outputs[0]

        handle = student.get_submodule("bert.embeddings").register_forward_hook(moved)
        answer = student(input_ids=batch.input_ids, attention_mask=batch.attention_mask, output_hidden_states=True)
        handle.remove()
        ours = torch.stack([projection(answer.hidden_states[layer]) for layer in (1, 2)])
        theirs = torch.stack([targets.hidden_states[layer] for layer in (2, 4)])
        value = cos_nce(ours, theirs, batch.attention_mask)
        if number == 1:
            value = value + losses.kl_divergence(answer.logits, targets.logits, 1.1) / 1.21
            value = value + 3 * softened_hard(answer.logits, batch.labels, 1.1)
        return value, outputs[0]

    plain, embedded = by_hand(0.0)
    gradient = torch.autograd.grad(plain, embedded)[0] * real
    step = gradient / gradient.square().sum(dim=(1, 2), keepdim=True).sqrt()
    expected, _ = by_hand(step)
    assert expected.item() > plain.item() + 1e-4  # the way up
    wanted = torch.autograd.grad(expected, list(named.values()), allow_unused=True)

    loss, _ = objective(batch, told, stage, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, weight), slope in zip(named.items(), wanted, strict=True):
        assert (weight.grad is None) == (slope is None), name
        if weight.grad is not None and slope is not None:
            torch.testing.assert_close(weight.grad, slope, rtol=1e-4, atol=1e-6, msg=name)


def test_a_run_learns(setting: Setting, tmp_path: Path) -> None:
    recipe = setting.recipe("lrc_bert", first=0.5)
    reports = setting.run(recipe, tmp_path, setting.student(), training=TRAINING)
    assert [report.scored for report in reports] == [False, False, True, True]
    contrast = [report.metrics["train/contrast"] for report in reports]
    assert contrast[-1] < contrast[0]
