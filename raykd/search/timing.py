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
from raykd.tasks.encoded import TEXTS, Encoded
from raykd.train.batches import by_length, plan_epoch
from raykd.train.config import TrialSpec
from raykd.train.evaluate import evaluate
from raykd.train.loop import Report
from raykd.train.placed import placed
from raykd.train.run_files import STUDENT
from raykd.train.trial import pair_of, run_trial

BATCHES = 4  # whose rows stand for all
ROUNDS = 3  # of these batches in a run
EVERYTHING = 10**15  # bytes
SMALLER = 4  # so much smaller are the batches of the first look at a network, and of all where it is very slow
SLOW_S = 0.25  # of a step of such a batch and an evaluation: one round has to do
VERY_SLOW_S = 2.0  # and batches have to be small, though the optimiser's own work counts too often then
EVALUATED = 32  # rows, or questions, that are evaluated


@dataclass(frozen=True)
class Pace:
    """Seconds: begin, of the process to the first trial; start, of a trial to its first step, and to write its student;
    step, of `batch` rows; row, to evaluate one; teacher, to ask it about a row."""

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
    batch = spec.training.batch_size
    small = max(1, batch // SMALLER)
    with placed(spec) as (local, _), tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        (name, split), *_ = local.dev.items()
        dev = few_evaluated(Encoded.open(Path(split)), scratch / "dev")
        local = local.model_copy(update={"dev": {name: str(dev.folder)}})
        _run(_on_batches(local, small, scratch / "load")[0], 1, scratch / "loaded")  # what a process loads once
        smaller, teacher = _on_batches(local, small, scratch / "small")
        probe = _run(smaller, 1, scratch / "probe")
        small_ones = probe.training > VERY_SLOW_S
        if not small_ones:
            local, teacher = _on_batches(local, batch, scratch / "rows")
        timed = smaller if small_ones else local
        steps = BATCHES * (1 if probe.training > SLOW_S else ROUNDS)  # each batch as often as the others
        run = _run(timed, steps, scratch / "run")
        row = _evaluating(scratch / "run" / STUDENT, local, dev)
        if _is_chain(timed):  # the steps of its earlier links lie before the first of the last
            longer = _run(timed, 2 * steps, scratch / "longer")
            step = max(longer.whole - run.whole, 1e-4) / steps
        else:
            step = max(run.training - row * len(dev), 1e-4) / steps
    start = run.before + run.after
    return Pace(spec.method, batch, begin, start, step * (batch / small if small_ones else 1), row, teacher)


@dataclass(frozen=True)
class _Times:
    """Seconds of a run: whole; before its first step; training, the evaluation at its end included."""

    whole: float
    before: float
    training: float

    @property
    def after(self) -> float:
        """Seconds from the evaluation to the end: the student is written."""
        return max(self.whole - self.before - self.training, 0.0)


def _is_chain(spec: TrialSpec) -> bool:
    method = METHODS[spec.method]
    return len(method.links(method.parameters.model_validate(spec.parameters), pair_of(spec))) > 1


def _evaluating(student: Path, spec: TrialSpec, split: Encoded) -> float:
    """Seconds a row of evaluating the saved student."""
    model = load_classifier(student, spec.task.head)
    began = time.perf_counter()
    evaluate(model, spec.task, {"dev": split}, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return (time.perf_counter() - began) / len(split)


def _on_batches(spec: TrialSpec, size: int, folder: Path) -> tuple[TrialSpec, float]:
    """The trial on typical batches of `size` rows, with what it wants stored of the teacher, and the seconds a row of
    asking for that."""
    whole = Encoded.open(Path(spec.train))
    train = some_rows(whole, typical(whole.lengths, size), folder / "rows")
    knowledge, seconds = _ask(spec, train, folder / "knowledge")
    training = spec.training.model_copy(
        update={"batch_size": size, "accumulation": min(spec.training.accumulation, size)}
    )
    return spec.model_copy(update={"train": str(train.folder), "knowledge": knowledge, "training": training}), seconds


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
    return _opened(split, folder, list(taken))


def few_evaluated(split: Encoded, folder: Path) -> Encoded:
    """Few rows of a split, as long as most are, as a split of its own in `folder`; of questions the first ones."""
    if (split.folder / TEXTS).is_file():
        return _first_questions(split, folder)
    batches = by_length(split.lengths, EVALUATED)
    longest = np.array([split.lengths[rows].max() for rows in batches])
    return some_rows(split, batches[int(np.abs(longest - longest.mean()).argmin())], folder)


def _first_questions(split: Encoded, folder: Path) -> Encoded:
    folder.mkdir(parents=True)
    arrays = {file.stem: np.load(file, mmap_mode="r") for file in split.folder.glob("*.npy")}
    windows = int((arrays["rows"] < EVALUATED).sum())
    tokens = int(arrays["offsets"][windows])
    ends = {"ids": tokens, "types": tokens, "chars": tokens, "offsets": windows + 1, "hashes": EVALUATED}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array[: ends.get(name, windows)])
    texts = json.loads((split.folder / TEXTS).read_text(encoding="utf-8"))
    texts |= {name: texts[name][:EVALUATED] for name in ("context", "answers")}
    (folder / TEXTS).write_text(json.dumps(texts), encoding="utf-8")
    return _opened(split, folder, list(arrays))


def _opened(split: Encoded, folder: Path, arrays: list[str]) -> Encoded:
    """The split in `folder` that is a part of `split`."""
    about = json.loads((split.folder / "meta.json").read_text(encoding="utf-8"))
    about = {key: value for key, value in about.items() if key != "sizes"} | {"arrays": arrays, "key": "some"}
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


def _run(spec: TrialSpec, steps: int, folder: Path) -> _Times:
    """The times of a run of `steps` steps with one evaluation."""
    per_epoch = -(-len(Encoded.open(Path(spec.train))) // spec.training.batch_size)
    training = spec.training.model_copy(update={"epochs": steps / per_epoch, "evaluations": 1})
    reports: list[Report] = []

    def tell(report: Report) -> bool:
        reports.append(report)
        return True

    began = time.time()
    run_trial(spec.model_copy(update={"training": training, "folder": str(folder)}), tell)
    whole, first, end = time.time() - began, reports[0].first_step, reports[0].at
    return _Times(whole, first - began, end - first)
