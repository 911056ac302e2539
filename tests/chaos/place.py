"""The smallest workspace in which a sweep is one: a task, a teacher, a space; made once, used by every case."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from tests.chaos.probe import write_site
from tests.chaos.processes import Driver
from tests.sweep.conftest import WORDS, write_rows

ROOT = Path(__file__).parents[2]
STILL = "still"  # a teacher, and so students, without dropout
SPACE = """
about: tiny
source: none
method: kd
parameters:
  learning_rate: {log: [1.0e-3, 1.0e-2]}
  alpha: {float: [0.1, 0.9]}
  epochs: {fixed: 2}
"""


@dataclass(frozen=True)
class Place:
    """folder: holds the data, the teacher and the cases' homes; arguments: that name them on the command line."""

    folder: Path
    arguments: list[str]

    def environment(self, home: str) -> dict[str, str]:
        """For a driver, and so for its workers."""
        return {
            "RAYKD_HOME": home,
            "RAYKD_CACHE": str(self.folder / "node-cache"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": write_site(self.folder / "site", ROOT),
            "RAY_TMPDIR": str(self.folder / "ray"),
            "SPT_NOENV": "1",  # a process that takes a title would write it over its environment, the mark with it
            "RAY_DISABLE_IMPORT_WARNING": "1",
        }


def make_place(folder: Path) -> Place:
    """Rows whose label can be learnt, an encoder, and the teacher that it becomes. `folder` should have a short name:
    Ray keeps sockets below it. What stands there already is used."""
    data = ["--task", "custom", "--data", "train.csv", "--dev-file", "dev.csv"]
    data += ["--text-columns", "text", "--label-column", "label"]
    small = ["--max-train-samples", "320", "--max-eval-samples", "100"]
    fixed = ["--space", "space.yaml", "--concurrency", "1", "--seed", "3"]
    place = Place(folder, [*data, "--teacher", "teacher", *small, *fixed])
    if (folder / "teacher").is_dir():
        return place
    write_rows(folder / "train.csv", 800, 1)
    write_rows(folder / "dev.csv", 200, 2)
    (folder / "space.yaml").write_text(SPACE)
    (folder / "ray").mkdir()
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(("no", "yes")), layers=4, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, folder / "base")
    fast = ["--learning-rate", "3e-3", "--epochs", "6"]
    command = ["teach", *data, "--teacher", "base", "--out", "teacher", *fast]
    driver = Driver(command, place.environment(str(folder / "home")), folder, folder / "teach.log")
    if driver.wait(300):
        raise RuntimeError(driver.output())
    still(folder / "teacher", folder / STILL)
    return place


def still(teacher: Path, other: Path) -> None:
    """A copy without dropout: of a group only the main worker's random state is in a checkpoint, so only a group that
    draws nothing ends bit for bit as without a fault."""
    shutil.copytree(teacher, other)
    config = json.loads((other / "config.json").read_text())
    none = {name: 0.0 for name in config if "dropout" in name and isinstance(config[name], float)}
    (other / "config.json").write_text(json.dumps(config | none))


def threads() -> None:
    """One for each process of this suite: tiny matrices gain nothing from more. Before anything is imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
