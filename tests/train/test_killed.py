"""SIGKILL in the middle of a step (S1) and of a checkpoint's writing (S2): the run goes on and ends bit for bit."""

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

from tests.train.killed import MOMENTS, WRITES
from tests.train.setting import Setting, same
from tests.train.test_group import ROOT


@dataclass(frozen=True)
class Killed:
    """What the runs left."""

    folder: Path
    told: dict[str, dict[str, Any]]

    def ends_as_whole(self, name: str) -> bool:
        one, other = (load_file(self.folder / run / "weights.safetensors") for run in (name, "whole"))
        return same(one, other)

    def reports(self, name: str) -> list[dict[str, Any]]:
        reports: list[dict[str, Any]] = json.loads((self.folder / name / "reports.json").read_text())
        return reports


@pytest.fixture(scope="module")
def killed(classes: Setting, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """All of them, run once."""
    out = tmp_path_factory.mktemp("killed")
    (out / "task.json").write_text(classes.task.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.killed", str(classes.folder), str(out)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Killed(out, json.loads((out / "told.json").read_text()))


@pytest.mark.parametrize("number", range(MOMENTS))
def test_killed_in_mid_step_it_ends_bit_for_bit(killed: Killed, number: int) -> None:
    name = f"moment-{number}"
    assert killed.ends_as_whole(name)
    reports, expected = killed.reports(name), killed.reports("whole")
    assert reports == expected[len(expected) - len(reports) :]


def test_most_were_killed_in_the_middle(killed: Killed) -> None:
    moments = [killed.told[f"moment-{number}"] for number in range(MOMENTS)]
    assert sum(moment["killed"] for moment in moments) >= MOMENTS // 2
    assert len({moment["ticks"] for moment in moments}) > MOMENTS // 2
    shorter = [len(killed.reports(f"moment-{number}")) < 4 for number in range(MOMENTS)]
    assert any(shorter), "none went on from a checkpoint"


@pytest.mark.parametrize("moment", WRITES)
def test_killed_while_a_checkpoint_is_written_the_previous_one_is_used(killed: Killed, moment: str) -> None:
    told = killed.told[moment]
    assert told["killed"]
    *checkpoints, last = told["left"]
    if moment == "renamed":
        assert told["used"] == "checkpoint-00000005"
    else:
        assert checkpoints == ["checkpoint-00000003", "checkpoint-00000004"]
        assert last.startswith("tmp-")
        assert told["used"] == "checkpoint-00000004"
        assert told["then"] == checkpoints
    assert killed.ends_as_whole(moment)
