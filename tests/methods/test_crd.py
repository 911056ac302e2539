"""CRD: negatives, memories, constants; what it keeps over a resume and shares between workers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from raykd.losses.contrast import crd as loss_of
from raykd.losses.contrast import embed, first_batch_constants, updated_rows
from raykd.methods import crd
from raykd.methods.crd import Contrast, CRDParameters
from raykd.methods.seen import Need
from tests.methods.crd_pair import contrast, vectors
from tests.methods.steps import Stand, pair, terms
from tests.train.setting import TRAINING, Setting, build

ROWS = torch.tensor([4, 0, 2])


def memories(module: Contrast) -> tuple[Tensor, Tensor]:
    return module.memory_v1.clone(), module.memory_v2.clone()


def test_two_steps_by_hand() -> None:
    module = contrast(tau=0.5, momentum=0.25)
    student, teacher = vectors()
    expected = []
    before = memories(module)
    constants = None
    for _ in range(2):
        v1 = embed(student, module.of_student.weight, module.of_student.bias)
        v2 = embed(teacher, module.of_teacher.weight, module.of_teacher.bias)
        index = torch.cat([ROWS.unsqueeze(-1), others(module)], dim=-1)
        if constants is None:
            constants = first_batch_constants(v1, v2, *before, index, temperature=0.5)
        expected.append(loss_of(v1, v2, *before, index, constants=constants, temperature=0.5).item())
        after = tuple(memory.clone() for memory in before)
        for memory, v in zip(after, (v1, v2), strict=True):
            memory[ROWS] = updated_rows(memory[ROWS], v, 0.25)
        torch.manual_seed(7)
        assert module(student, teacher, ROWS).item() == pytest.approx(expected[-1], rel=1e-6)
        torch.testing.assert_close(memories(module), after)
        before = (after[0], after[1])
    assert expected[1] < expected[0]  # the samples are remembered
    torch.testing.assert_close(module.constants, torch.stack(constants or ()))


def others(module: Contrast) -> Tensor:
    """What the module draws next from this seed."""
    torch.manual_seed(7)
    return module._others(ROWS)


def test_negatives_are_other_samples_and_come_from_the_global_generator() -> None:
    module = contrast(rows=9, negatives=7)
    torch.manual_seed(1)
    drawn = [module._others(ROWS) for _ in range(200)]
    for number, row in enumerate(ROWS.tolist()):
        found = {int(one) for draw in drawn for one in draw[number]}
        assert found == set(range(9)) - {row}
    assert drawn[0].shape == (3, 7)
    torch.manual_seed(1)
    assert torch.equal(module._others(ROWS), drawn[0])


@pytest.mark.parametrize("negatives", [8, 16384])
def test_a_small_split_is_taken_whole(negatives: int) -> None:
    module = contrast(rows=9, negatives=negatives)
    state = torch.get_rng_state()
    found = module._others(ROWS)
    assert [sorted(row) for row in found.tolist()] == [sorted(set(range(9)) - {row}) for row in ROWS.tolist()]
    assert torch.equal(torch.get_rng_state(), state)


def test_in_evaluation_nothing_is_kept() -> None:
    module = contrast().eval()
    before = memories(module)
    module(*vectors(), ROWS)
    assert not module.constants.any()
    torch.testing.assert_close(memories(module), before, rtol=0, atol=0)


def test_the_constants_stay_those_of_the_first_batch() -> None:
    module = contrast()
    module(*vectors(), ROWS)
    first = module.constants.clone()
    module(*vectors(2), ROWS)
    assert first.all()
    assert torch.equal(module.constants, first)
    again = contrast()
    again.load_state_dict(module.state_dict())
    again(*vectors(3), ROWS)
    assert torch.equal(again.constants, first)


def test_one_row_alone_is_finite() -> None:
    module = contrast(rows=1)
    student, teacher = (side[:1].requires_grad_() for side in vectors())
    loss = module(student, teacher, torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert teacher.grad is None


def test_the_term_is_the_module_on_the_rows_of_the_batch() -> None:
    networks = pair(4, 2)
    scene, recipe = Stand(networks), crd.recipe(CRDParameters(negatives=2), networks)
    step = scene.step(recipe)
    module = step.extras["contrast"]
    assert isinstance(module, Contrast)
    assert module.memory_v1.shape == (scene.scene().rows, 128)
    assert module.memory_v1.abs().max() <= (3 / 128) ** 0.5
    twin = Contrast(6, 16, 24, CRDParameters(negatives=2))
    twin.load_state_dict(module.state_dict())
    torch.manual_seed(2)
    loss = terms(recipe)["crd"].loss(step)
    torch.manual_seed(2)
    expected = twin(scene.student.answers[Need("cls", 2)], scene.teacher.answers[Need("cls", 4)], step.rows)
    assert loss.item() == expected.item()
    assert torch.equal(module.memory_v2, twin.memory_v2)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return build(tmp_path_factory.mktemp("setting"), regression=False)


def test_a_resumed_run_goes_on_bit_for_bit(setting: Setting, tmp_path: Path) -> None:
    """Its negatives, memories and constants are where they were."""

    def until(stop: int) -> Callable[[Any], bool]:
        return lambda done: done.evaluation < stop

    recipe = setting.recipe("crd", negatives=20)
    longer = TRAINING.model_copy(update={"epochs": 6.0})
    reports = setting.run(recipe, tmp_path / "whole", setting.student(), training=longer)
    assert reports[-1].metrics["train/crd"] < reports[0].metrics["train/crd"]
    again: dict[str, Any] = {"training": longer, "checkpoint_every": 0.0}
    setting.run(recipe, tmp_path / "broken", setting.student(), report=until(3), **again)
    last = setting.run(recipe, tmp_path / "broken", setting.student(), **again)[-1]
    assert last.evaluation == 4
    assert last.metrics == reports[-1].metrics


def test_two_workers_remember_the_rows_of_both(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.methods.crd_pair", str(tmp_path)]
    workers = [subprocess.Popen([*command, str(rank)], cwd=Path(__file__).parents[2]) for rank in (0, 1)]
    try:
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    one, two = (torch.load(tmp_path / f"state-{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["constants"].all()
    changed = (one["memory_v1"] != contrast().memory_v1).any(dim=-1).nonzero().flatten()
    assert changed.tolist() == [0, 1, 2, 4, 5, 8]
