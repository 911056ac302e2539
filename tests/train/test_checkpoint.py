"""What a checkpoint holds, which are kept, and that no write leaves half of one."""

from __future__ import annotations

import errno
import json
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from raykd.train.checkpoint import latest, load, save
from raykd.train.config import Training
from raykd.train.optimise import make_optimizer
from raykd.train.state import Position, State, put_back, take
from raykd.train.tally import Tally
from tests.train.setting import same, weights
from tests.train.toys import transposed

CPU = torch.device("cpu")


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


def state_at(step: int) -> State:
    """A state after one step, called `step`."""
    module, optimizer = trained(1)
    return take(module, [optimizer], Position(step, 1, 0.0), Tally())


def draws() -> list[float]:
    normal = float(np.random.normal())  # noqa: NPY002 - the state under test
    return [random.random(), random.gauss(0, 1), normal, float(torch.rand(()))]


def test_weights_optimiser_position_sums_and_random_state_come_back(tmp_path: Path) -> None:
    module, optimizer = trained(3)
    draws()  # an odd number of normal draws: the second of a pair is part of the state
    tally = Tally()
    for _ in range(2):
        tally.add({"loss": torch.tensor(0.1), "soft": torch.tensor(1 / 3)})
    tally.add({"loss": torch.tensor(0.7)})
    place = save(tmp_path, take(module, [optimizer], Position(3, 1, 2.5), tally))
    expected = draws()
    other, fresh = trained(0)
    back = Tally()
    back.add({"old": torch.tensor(1.0)})
    assert not same(weights(module), weights(other))
    assert put_back(load(place), other, [fresh], back, CPU) == Position(3, 1, 2.5)
    assert draws() == expected
    assert same(weights(module), weights(other))
    assert back.means() == tally.means()
    assert back.counts == {"loss": 3, "soft": 2}
    old, new = (dict(each.state_dict())["state"] for each in (optimizer, fresh))
    assert old.keys() == new.keys()
    assert all(torch.equal(old[p][name], new[p][name]) for p in old for name in old[p])
    assert {"step", "exp_avg", "exp_avg_sq"} <= old[0].keys()


def test_a_parameter_that_was_never_trained_has_no_state(tmp_path: Path) -> None:
    module, optimizer = trained(0)
    place = save(tmp_path, take(module, [optimizer], Position(0, 0, 0.0), Tally()))
    put_back(load(place), module, [optimizer], Tally(), CPU)
    assert optimizer.state_dict()["state"] == {}


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for step in (9, 10, 100, 100):
        save(tmp_path, state_at(step))
        assert latest(tmp_path) == tmp_path / f"checkpoint-{step:08d}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-00000010", "checkpoint-00000100"]
    save(tmp_path, state_at(50))  # a run that had to go back: what it has not reached is not its own
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-00000010", "checkpoint-00000050"]


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    assert latest(tmp_path / "absent") is None


def test_nothing_in_it_is_a_pickle(tmp_path: Path) -> None:
    place = save(tmp_path, state_at(1))
    assert sorted(path.name for path in place.rglob("*")) == ["state.json", "state.safetensors"]
    assert json.loads((place / "state.json").read_text())["step"] == 1
    names = load_file(place / "state.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"module", "optimizer", "rng"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for two checkpoints of the toy and a half; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    size = 2.5 * sum(file.stat().st_size for file in save(tmp_path / "measure", state_at(1)).iterdir())
    mount = shutil.which("mount")
    options = f"size={int(size / 1024)}k"
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", options, "raykd", place], check=False).returncode:
        pytest.skip("no right to mount a file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_leaves_the_ones_before_and_no_litter(small_disk: Path) -> None:
    """S11: the disk is full in the third write."""
    places = [save(small_disk, state_at(step)) for step in (5, 6)]
    with pytest.raises(OSError, match="No space left") as raised:
        save(small_disk, state_at(7))
    assert raised.value.errno == errno.ENOSPC
    assert sorted(small_disk.iterdir()) == places
    assert latest(small_disk) == places[1]


def test_a_write_that_fails_midway_leaves_the_one_before_and_no_litter(tmp_path: Path) -> None:
    """S11, where nobody may mount: no file may grow beyond half of the tensors'."""
    place = save(tmp_path, state_at(5))
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((place / "state.safetensors").stat().st_size // 2, most))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            save(tmp_path, state_at(6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert raised.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == [place]
    assert latest(tmp_path) == place
