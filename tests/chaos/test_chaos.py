"""A share of ``make chaos``: one fault of each sort that needs no server, each at another moment of a sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARE = (
    ("SIGKILL of a trial's worker", "checkpoint"),
    ("driver killed, journal torn", "middle"),
    ("out of memory, once", "start"),
)
OF_GROUPS = (("SIGKILL of a group's Tune actor", "middle"), ("SIGKILL of one worker of a group", "checkpoint"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("share", [SHARE, OF_GROUPS], ids=["alone", "groups"])
def test_a_share_of_the_faults_is_survived(share: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    asked = [f"--case={name}@{moment}" for name, moment in share]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--quick", "--json", str(rows), *asked],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(rows.read_text())
    assert len(found) == len(share)
    for row in found:
        assert not row["problems"], row
        assert (row["lost"], row["twice"], row["leaked"]) == (0, 0, 0)
        assert row["same"] is not False
