"""A workspace with a tiny task and a tiny teacher, for whole sweeps on Ray in seconds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer

WORDS = [f"w{i}" for i in range(60)]
SPACE = """
about: tiny
source: none
method: kd
parameters:
  learning_rate: {log: [1.0e-3, 1.0e-2]}
  alpha: {float: [0.1, 0.9]}
  epochs: {fixed: 4}
"""


@dataclass(frozen=True)
class Place:
    """A workspace: its folder, and the arguments that name data and teacher."""

    folder: Path
    arguments: list[str]

    def environment(self) -> dict[str, str]:
        """For a process of its own: the workspace, no hub, one thread."""
        return {**os.environ, "RAYKD_HOME": str(self.folder / "runs"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command line in a process of its own."""
        command = [sys.executable, "-m", "raykd", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> str:
        """What the command line prints, having ended with exit code 0."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with Ray, which would stay
            pytest.fail(f"{' '.join(arguments)} did not end: {process.communicate()[0]}")
        assert process.returncode == 0, output
        return output

    def sweep(self, name: str) -> Path:
        return self.folder / "runs" / "sweeps" / name


def write_rows(file: Path, rows: int, seed: int) -> None:
    """Sentences whose label says whether three or more of their words have a number divisible by three."""
    chance = random.Random(seed)
    lines = ["text,label"]
    for _ in range(rows):
        words = [chance.choice(WORDS) for _ in range(chance.randint(5, 14))]
        lines.append(f"{' '.join(words)},{'yes' if sum(int(w[1:]) % 3 == 0 for w in words) >= 3 else 'no'}")
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Data, a space, and an encoder that the first sweep fine-tunes."""
    folder = tmp_path_factory.mktemp("place")
    write_rows(folder / "train.csv", 800, 1)
    write_rows(folder / "dev.csv", 200, 2)
    (folder / "space.yaml").write_text(SPACE)
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(("no", "yes")), layers=4, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, folder / "base")
    data = ["--task", "custom", "--data", "train.csv", "--dev-file", "dev.csv"]
    data += ["--text-columns", "text", "--label-column", "label"]
    made = Place(folder, data)
    made.run("teach", *data, "--teacher", "base", "--out", "teacher", "--learning-rate", "3e-3", "--epochs", "6")
    return Place(folder, ["--task-name", "mine", *data, "--teacher", "teacher", "--space", "space.yaml"])
