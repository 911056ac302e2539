"""How fast a trial is on the hardware at hand: a few of its steps on a few of its rows, with what it wants stored."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from raykd.cpus import use_threads
from raykd.knowledge.fill import fill
from raykd.knowledge.library import Library
from raykd.knowledge.plan import plan
from raykd.knowledge.teacher import live_teacher
from raykd.methods import METHODS
from raykd.methods.plan import teacher_needs
from raykd.models.classifier import load_classifier
from raykd.search.wanted import facts_of
from raykd.tasks.encoded import Encoded
from raykd.train.batches import plan_epoch
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.placed import placed
from raykd.train.trial import pair_of, run_trial

BATCHES = 4  # whose rows stand for all
FEW, MORE = BATCHES, 3 * BATCHES  # steps of a short run, and of a longer one: between them lie two steps of each batch
EVERYTHING = 10**15  # bytes
LONG_STEP_S = 5.0  # of a step and an evaluation: fewer steps tell then


@dataclass(frozen=True)
class Pace:
    """Seconds: begin, of the process to the first trial; start, of a trial to its first step; step, of `batch` rows;
    row, to evaluate one (the writing of the student, once a trial, counted in); teacher, to ask it about a row."""

    method: str
    batch: int
    begin: float
    start: float
    step: float
    row: float
    teacher: float


def time_trial(spec: TrialSpec, asked: float) -> Pace:
    """Run `spec` for a few steps. asked: when this was asked for (seconds since the epoch)."""
    begin = time.time() - asked
    use_threads(spec.threads)
    with placed(spec) as (local, _), tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        whole = Encoded.open(Path(local.train))
        train = some_rows(whole, typical(whole.lengths, spec.training.batch_size), scratch / "rows")
        knowledge, teacher = _ask(local, train, scratch / "knowledge")
        local = local.model_copy(update={"train": str(train.folder), "knowledge": knowledge})
        first, begun = _run(local, 1, len(train), scratch / "first")  # what a process loads once
        few, more = (FEW, MORE) if first - begun < LONG_STEP_S else (1, 1 + BATCHES)
        short, start = _run(local, few, len(train), scratch / "short")
        long, _ = _run(local, more, len(train), scratch / "long")
        step = max(long - short, 1e-4) / (more - few)
        rows = sum(len(Encoded.open(Path(folder))) for folder in local.dev.values())
        rest = max(short - start - few * step, 0.0)
    return Pace(spec.method, spec.training.batch_size, begin, start, step, rest / rows, teacher)


def typical(lengths: np.ndarray, batch_size: int) -> np.ndarray:
    """The rows of BATCHES of an epoch's batches: of each quarter, from the short to the long ones, the one nearest to
    the quarter's mean. Rows drawn evenly would make batches of more unequal lengths, and so of more padding."""
    batches = plan_epoch(lengths, batch_size, seed=0, epoch=0)
    longest = np.array([lengths[rows].max() for rows in batches])
    quarters = [part for part in np.array_split(np.argsort(longest, kind="stable"), BATCHES) if len(part)]
    nearest = [part[np.abs(longest[part] - longest[part].mean()).argmin()] for part in quarters]
    return np.concatenate([batches[number] for number in nearest])


def some_rows(split: Encoded, chosen: np.ndarray, folder: Path) -> Encoded:
    """The rows `chosen` of a split, in the order they have there, as a split of its own in `folder`."""
    chosen = np.sort(chosen)
    folder.mkdir(parents=True)
    arrays = {file.stem: np.load(file, mmap_mode="r") for file in split.folder.glob("*.npy")}
    offsets = arrays.pop("offsets")
    tokens = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in chosen])
    taken: dict[str, np.ndarray] = {name: arrays[name][tokens] for name in ("ids", "types") if name in arrays}
    taken["hashes"] = split.hashes
    taken |= {"labels": arrays["labels"][chosen], "offsets": np.concatenate([[0], np.cumsum(split.lengths[chosen])])}
    for name, array in taken.items():
        np.save(folder / f"{name}.npy", array)
    about = json.loads((split.folder / "meta.json").read_text(encoding="utf-8"))
    about = {key: value for key, value in about.items() if key != "sizes"} | {"arrays": list(taken), "key": "some"}
    (folder / "meta.json").write_text(json.dumps(about), encoding="utf-8")
    return Encoded.open(folder)


def _ask(spec: TrialSpec, train: Encoded, root: Path) -> tuple[tuple[str, ...], float]:
    """The places of what is stored of the teacher about `train`, and the seconds a row of asking it."""
    pair = pair_of(spec)
    needs = teacher_needs(METHODS[spec.method], spec.parameters, pair, Path(spec.origin))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = live_teacher(load_classifier(Path(spec.teacher), spec.task.head))
    facts = facts_of(pair, spec.task)
    stored = [] if train.pads_left else plan(needs, facts, train.lengths, EVERYTHING).stored
    library = Library(root, "timed", train.key)
    parts = [library.part(need, facts, train.lengths, rows_per_shard=len(train)) for need, _ in stored]
    began = time.perf_counter()
    refused = {line.partition(":")[0] for line in fill(parts, 0, teacher, train, device)} if parts else set()
    seconds = (time.perf_counter() - began) / len(train)
    return tuple(str(part.folder) for part in parts if part.folder.name not in refused), seconds


def _run(spec: TrialSpec, steps: int, rows: int, folder: Path) -> tuple[float, float]:
    """Seconds of a whole run of `steps` steps with one evaluation, and of those what came before the first step."""
    per_epoch = -(-rows // spec.training.batch_size)
    training = spec.training.model_copy(update={"epochs": steps / per_epoch, "evaluations": 1})
    first: list[float] = []

    def tell(report: Report) -> bool:
        first.append(report.first_step)
        return True

    began = time.time()
    run_trial(spec.model_copy(update={"training": training, "folder": str(folder)}), tell)
    return time.time() - began, first[0] - began
