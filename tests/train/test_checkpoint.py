"""What a checkpoint holds, and what an interrupted write leaves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from raykd.train import checkpoint
from raykd.train.checkpoint import Position, latest, load, save
from raykd.train.config import Training
from raykd.train.optimise import make_optimizer
from tests.train.setting import same, weights
from tests.train.toys import transposed


class Tied(nn.Module):
    """Two names for one tensor, and a tensor that is not contiguous: safetensors takes neither as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.turned = nn.Linear(32, 32), nn.Linear(32, 32), transposed()
        self.two.weight = self.one.weight


def trained(steps: int) -> tuple[Tied, torch.optim.AdamW]:
    torch.manual_seed(0)
    module = Tied()
    optimizer = make_optimizer(module, Training(learning_rate=0.01))
    for _ in range(steps):
        module.turned(module.two(module.one(torch.ones(1, 32)))).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return module, optimizer


def draws() -> list[float]:
    normal = float(np.random.normal())  # noqa: NPY002 - the state under test
    return [random.random(), random.gauss(0, 1), normal, float(torch.rand(()))]


def test_weights_optimiser_position_and_random_state_come_back(tmp_path: Path) -> None:
    module, optimizer = trained(3)
    draws()  # an odd number of normal draws: the second of a pair is part of the state
    place = save(tmp_path, module, [optimizer], Position(3, 1, 2.5))
    expected = draws()
    other, fresh = trained(0)
    assert not same(weights(module), weights(other))
    assert load(place, other, [fresh]) == Position(3, 1, 2.5)
    assert draws() == expected
    assert same(weights(module), weights(other))
    old, new = (dict(each.state_dict())["state"] for each in (optimizer, fresh))
    assert old.keys() == new.keys()
    assert all(torch.equal(old[p][name], new[p][name]) for p in old for name in old[p])
    assert {"step", "exp_avg", "exp_avg_sq"} <= old[0].keys()


def test_a_parameter_that_was_never_trained_has_no_state(tmp_path: Path) -> None:
    module, optimizer = trained(0)
    place = save(tmp_path, module, [optimizer], Position(0, 0, 0.0))
    load(place, module, [optimizer])
    assert optimizer.state_dict()["state"] == {}


def test_the_newest_alone_is_kept(tmp_path: Path) -> None:
    module, optimizer = trained(1)
    for step in (9, 10, 100, 100):
        save(tmp_path, module, [optimizer], Position(step, 1, 0.0))
        assert latest(tmp_path) == tmp_path / f"checkpoint-{step:08d}"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000100"]


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    assert latest(tmp_path / "absent") is None


def test_an_interrupted_write_is_swept_and_the_one_before_used(tmp_path: Path) -> None:
    module, optimizer = trained(1)
    place = save(tmp_path, module, [optimizer], Position(5, 1, 0.0))
    broken = tmp_path / "tmp-0123"
    broken.mkdir()
    (broken / "state.safetensors").write_bytes(b"half")
    assert latest(tmp_path) == place
    assert list(tmp_path.iterdir()) == [place]
    assert load(place, module, [optimizer]).step == 5


def test_a_full_disk_leaves_the_one_before_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, optimizer = trained(1)
    place = save(tmp_path, module, [optimizer], Position(5, 1, 0.0))

    def full(tensors: dict[str, torch.Tensor], file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, module, [optimizer], Position(6, 2, 0.0))
    assert list(tmp_path.iterdir()) == [place]
    assert load(place, module, [optimizer]).step == 5


def test_nothing_in_it_is_a_pickle(tmp_path: Path) -> None:
    module, optimizer = trained(1)
    place = save(tmp_path, module, [optimizer], Position(1, 1, 0.0))
    assert sorted(path.name for path in place.rglob("*")) == ["state.json", "state.safetensors"]
    assert json.loads((place / "state.json").read_text())["step"] == 1
    names = load_file(place / "state.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"module", "optimizer", "rng"}
