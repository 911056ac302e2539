"""Two workers under DDP train as one does, and stop together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from raykd.train.world import World
from tests.train.group import PIECES, SIX_STEPS, by_step
from tests.train.setting import Setting, furthest, same
from tests.train.toys import two_stages

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Group:
    """What the two workers left."""

    folder: Path

    def weights(self, job: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        one, two = (load_file(self.folder / f"{job}-{rank}.safetensors") for rank in (0, 1))
        return one, two

    def told(self, key: str) -> tuple[Any, Any]:
        one, two = (json.loads((self.folder / f"told-{rank}.json").read_text())[key] for rank in (0, 1))
        return one, two


@pytest.fixture(scope="module")
def group(classes: Setting, tmp_path_factory: pytest.TempPathFactory) -> Group:
    """Both workers, run once, all jobs."""
    out = tmp_path_factory.mktemp("group")
    (out / "task.json").write_text(classes.task.model_dump_json())
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.group", str(classes.folder), str(out), str(rank)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        said = [worker.communicate(timeout=120)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(said)
    return Group(out)


@pytest.mark.parametrize("job", ["whole", "pieces", "toy"])
def test_both_workers_hold_the_same_weights_at_every_step(group: Group, job: str) -> None:
    one, two = group.weights(job)
    assert one.pop("reports").tolist() == [2, 4, 6]
    assert two.pop("reports").tolist() == []  # the main worker alone reports
    assert same(one, two)
    assert {name.split("/")[0] for name in one} >= {"0", "5", "end"}


@pytest.mark.parametrize("job", ["whole", "pieces", "toy"])
def test_two_workers_train_as_one_does(group: Group, classes: Setting, tmp_path: Path, job: str) -> None:
    recipe = two_stages() if job == "toy" else classes.recipe("kd")
    alone = by_step(classes, recipe, tmp_path, World(), PIECES if job == "pieces" else SIX_STEPS)
    two, _ = group.weights(job)
    assert furthest(two, alone) < 1e-5
    start = {name.partition("/")[2]: value for name, value in alone.items() if name.startswith("0/")}
    assert furthest(start, {name: alone[f"end/{name}"] for name in start}) > 1e-3  # they did train


def test_workers_drop_out_other_units_before_and_after_a_resume(group: Group) -> None:
    (before, after), (before_other, after_other) = group.told("states")
    assert len(before) == len(before_other) == 4  # stopped at the second report
    assert len(after) == len(after_other) == 3  # from the checkpoint of the third step
    assert not set(before) & set(before_other)
    assert not set(after) & set(after_other)
    assert after[:1] == before[3:]  # the main worker goes on where it was


def test_one_that_is_asked_to_leave_takes_both_with_it_and_both_go_on(group: Group) -> None:
    main, other = group.told("left")
    gone = "left before step 4 of 6, as it was asked to; goes on from there"
    assert main == ["saved", gone, "reports [4, 6]"]
    assert other == [gone, "reports []"]
    assert not (group.folder / "run-left" / "1").exists()
    one, two = group.weights("left")
    whole, _ = group.weights("whole")
    assert same(one, two)
    assert same(one, {name: value for name, value in whole.items() if name.startswith("end/")})


def test_what_the_main_worker_wrote_is_on_every_disk(group: Group) -> None:
    assert group.told("there") == ([False, True, True], [False, True, True])
    assert (group.folder / "disk-1" / "student" / "weights").read_bytes() == b"of the main worker"
    assert [path.name for path in (group.folder / "disk-1").iterdir()] == ["student"]


def test_a_loss_that_goes_bad_on_one_worker_stops_both_at_that_step(group: Group) -> None:
    main, other = group.told("bad")
    assert main.startswith("gradient norm is nan at step 4 of 6; last good value")  # its own loss is good
    assert other.startswith("loss is nan at step 4 of 6; last good value")
