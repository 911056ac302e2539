"""What a further trial adds to a node's memory, beside a store of 1 GB: ``python -m tests.benchmarks.memory``.

Processes of one trial each, as on a node: the student alone (`none`), and with what the teacher says in the store, all
of which each of them reads. *own*: what a process has written for itself alone; what several have in common (the
store, in the page cache) is there once, and the kernel can drop it. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from raykd.knowledge.forms import Facts
from raykd.knowledge.library import Library
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import Teacher
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe, Stage, Step, Term
from raykd.methods.seen import SEE_LOGITS, Need, needs
from raykd.models.shape import Shape
from raykd.tasks.encode import Encoded
from raykd.train.config import TaskSpec, Training
from raykd.train.loop import distill
from tests.benchmarks.rte import Place, place

LAYERS = (2, 4)


def store(at: Place, root: Path, size: int) -> list[Path]:
    """Parts of hidden states of random numbers, `size` bytes together, as wide as that takes."""
    width = size // len(LAYERS) // int(at.train.lengths.sum()) // 2
    library, facts = Library(root, "bench", at.train.key), Facts(width, 12, 2)
    generator = np.random.default_rng(0)
    folders = []
    for layer in LAYERS:
        part = library.part(Need("hidden", layer), facts, at.train.lengths)
        for shard in range(len(part)):
            lengths = at.train.lengths[list(part.rows(shard))]
            part.write(shard, [generator.random(n * width, np.float32).astype(np.float16) for n in lengths])
        folders.append(part.folder)
    return folders


def looks(layer: int) -> Term:
    """A term that reads the teacher's states of a layer."""

    def loss(step: Step) -> torch.Tensor:
        return step.student.logits.mean() * step.teacher.of("hidden", layer).mean()

    return Term(f"layer{layer}", 1.0, loss, student=SEE_LOGITS, teacher=needs("hidden", (layer,)))


def trial(folder: Path, parts: list[str]) -> None:
    """One process: a whole epoch, then wait to be measured."""
    train = Encoded.open(next(file.parent for file in folder.glob("*/meta.json")))
    task = TaskSpec(name="rte", labels=("entailment", "not_entailment"), metrics=("accuracy",), primary="accuracy")
    at = Place(folder, task, train, train)
    torch.set_num_threads(1)
    shape = Shape(12, 768, 12, 30522)
    teacher, recipe = None, METHODS["none"].recipe(METHODS["none"].parameters(), Pair(shape, shape))
    if parts:
        teacher = Teacher(shape, at.teacher, Knowledge(list(map(Path, parts)), train))
        recipe = Recipe(stages=(Stage(terms=tuple(looks(layer) for layer in LAYERS)),))
    training = Training(epochs=1, batch_size=16, evaluations=1)
    with tempfile.TemporaryDirectory() as out:
        distill(at.student(), recipe, train, {}, task, training, Path(out), lambda _: True, teacher=teacher)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def measured(folder: Path, parts: list[str], number: int) -> dict[str, float]:
    """MiB over `number` processes at once: each one's own (mean), and of all together (shared pages once)."""
    line = [sys.executable, "-m", "tests.benchmarks.memory", "--trial", str(folder), *parts]
    processes = [
        subprocess.Popen(line, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(number)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        rows = [smaps(process.pid) for process in processes]
    finally:
        for process in processes:
            process.communicate("\n")
    own = [row["Private_Dirty"] for row in rows]
    return {
        "own": sum(own) / number / 1024,
        "together": sum(row["Pss"] for row in rows) / 1024,
        "resident": sum(row["Rss"] for row in rows) / number / 1024,
    }


def smaps(process: int) -> dict[str, int]:
    """KiB by kind."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--trial", nargs="*", help="of the benchmark itself")
    asked = parser.parse_args()
    if asked.trial:
        trial(Path(asked.trial[0]), asked.trial[1:])
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        at = place(folder / "place", asked.data, rows=asked.rows, dev=1)
        for file in (folder / "place").glob("*/meta.json"):  # the training split alone
            if Encoded.open(file.parent).key != at.train.key:
                file.unlink()
        parts = [str(part) for part in store(at, folder / "knowledge", int(asked.gigabytes * 1e9))]
        print(f"MiB; a store of {asked.gigabytes:g} GB, the student of 4 layers and 312 wide: {vars(asked)}")
        print(f"{'at once':8}{'':10}{'own, each':>12}{'resident, each':>16}{'all together':>14}")
        for number in asked.at_once:
            for name, given in (("none", []), ("stored", parts)):
                found = measured(folder / "place", given, number)
                print(f"{number:<8}{name:10}{found['own']:12.0f}{found['resident']:16.0f}{found['together']:14.0f}")


if __name__ == "__main__":
    main()
