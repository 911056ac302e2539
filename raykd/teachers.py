"""Finding a teacher that knows the task: fine-tuned by someone, fine-tuned here once, or the built-in sample's own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from raykd.cpus import thread_count
from raykd.models.classifier import Head, has_head, load_classifier
from raykd.models.positions import check_length
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.seed import seeded
from raykd.models.source import digest, full_digest, resolve
from raykd.models.tokenizer import load_tokenizer
from raykd.outputs import OutputFolder
from raykd.seeds import derive_seed
from raykd.tasks import sample
from raykd.tasks.data import Data, Split, fingerprint
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.holdout import with_selection
from raykd.tasks.task import Task
from raykd.tasks.truncation import cut_lines
from raykd.train.config import TaskSpec, Training
from raykd.train.loop import Report
from raykd.train.teach import Lesson, teach
from raykd.workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DEFAULT_TEACHER = "google-bert/bert-base-uncased"
# all-MiniLM-L6 on 200 rows of SST-2: 0.509 on dev after 21 steps (3 epochs), 0.743 after 200, 0.747 after 400. On 900:
# 0.770 after 84 steps (3 epochs), 0.786 after 200, 0.799 after 400. On 4,000: 0.817 after 339 (3 epochs), 0.803 after
# 452, a seed each: there more steps bring nothing.
LEAST_STEPS = 400
MOST_EVALUATIONS = 10
SAMPLE_TRAINING = Training(learning_rate=1e-3, epochs=3, batch_size=64, max_length=64, evaluations=4)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Teacher:
    """A fine-tuned teacher: its folder, its name for a person, the folder students are cut from.

    taught: raykd fine-tuned it. Students are then cut from the weights before that, as in the papers, so that the
    undistilled baseline owes nothing to the teacher's training. lesson, lesson_rows: of one that only stands in for the
    teacher in a dry run, what the teacher would be taught with, and on how many rows.
    """

    folder: Path
    name: str
    origin: Path
    taught: bool
    lesson: Training | None = None
    lesson_rows: int = 0


def task_spec(data: Data) -> TaskSpec:
    """The part of a task that training needs."""
    task = data.task
    return TaskSpec(
        name=data.identity,
        base=task.name,
        texts=task.texts,
        label_column=task.label_column,
        split_seed=data.split_seed,
        file_hash=data.file_hash,
        labels=task.labels,
        metrics=task.metrics,
        primary=task.primary,
        kind=task.kind,
        stride=data.stride,
    )


def find_teacher(
    data: Data, name: str | None, training: Training, workspace: Workspace, say: Say, scratch: Path | None = None
) -> Teacher:
    """The teacher called `name` (a folder or hub name), or the default one for this data.

    An encoder without a head for the task is fine-tuned first, and kept for the next time.

    scratch: of a dry run, a folder. A teacher that is not taught yet is not taught then: its encoder stands in for it.
    """
    if name is None and is_sample(data):
        rows = sample.corpus(data.task, SAMPLE_TRAINING.seed)
        folder = _sample_folder(data, rows, workspace)
        if scratch is not None and not workspace.recall(folder):
            model, tokenizer = _sample_model(data.task)
            stand_in = save_student(model, tokenizer, scratch / "stand-in")
            return Teacher(stand_in, "sample", stand_in, True, SAMPLE_TRAINING, len(rows))
        _teach_sample(data, rows, folder, workspace, say)
        return Teacher(folder, "sample", folder, taught=True)
    name = name or DEFAULT_TEACHER
    base = resolve(name, role="teacher")
    if has_head(base, span=data.task.span):
        return Teacher(base, _short(name), base, taught=False)
    chosen = with_selection(data)
    lesson = long_enough(Training(max_length=training.max_length, seed=training.seed), len(chosen.train))
    folder = taught_folder(base, data, lesson, workspace)
    if scratch is not None and not workspace.recall(folder):
        return Teacher(base, _short(name), base, True, lesson, len(chosen.train))
    _teach_once(base, chosen, lesson, folder, workspace, say)
    return Teacher(folder, _short(name), base, taught=True)


def is_sample(data: Data) -> bool:
    """Whether the rows are the built-in sample's, which has a teacher of its own."""
    return data.source.startswith("built-in sample")


def teach_teacher(
    data: Data, base: str | None, training: Training, folder: OutputFolder, workspace: Workspace, say: Say
) -> tuple[Path, dict[str, float]]:
    """Fine-tune the encoder `base` (a folder or hub name) on `data` into `folder`; returns where it lies, and its dev
    metrics."""
    source = resolve(base or DEFAULT_TEACHER, role="teacher")
    check_length("teacher", source, training.max_length)
    train, dev = encode_all(with_selection(data), source, training.max_length, workspace)
    for line in cut_lines({"train": train, **dev}, data.task, training.max_length):
        say(f"data: {line}")
    spec = task_spec(data)
    with seeded(derive_seed(training.seed, "teacher", digest(source))):
        model = load_classifier(source, spec.head)
    return _teach(model, load_tokenizer(source), train, dev, spec, training, folder, say, str(source), data.fingerprint)


def encode_all(data: Data, model: Path, length: int, workspace: Workspace) -> tuple[Encoded, dict[str, Encoded]]:
    """The tokenised train and dev splits, for the tokenizer of the model in folder `model`."""

    def one(split: Split) -> Encoded:
        return encode_split(split, data.task, model, length, workspace, stride=data.stride)

    return one(data.train), {name: one(split) for name, split in data.dev.items()}


def encode_split(
    split: Split, task: Task, model: Path, length: int, workspace: Workspace, *, stride: int | None = None
) -> Encoded:
    """One tokenised split; stride: see encode."""
    tokenizer, cache = load_tokenizer(model), workspace.cache
    return encode(split, tokenizer, max_length=length, regression=task.regression, cache=cache, stride=stride)


def _teach_once(base: Path, data: Data, lesson: Training, folder: Path, workspace: Workspace, say: Say) -> None:
    """Fine-tune the encoder in `base` into `folder`, unless it was done before. data: with the rows that select."""
    with _alone(folder):
        if workspace.recall(folder):
            return
        lacks = "head for spans" if data.task.span else "classifier"
        say(f"teacher: {_short(str(base))} has no {lacks}; fine-tuning it for {lesson.epochs:.3g} epochs, once")
        train, dev = encode_all(data, base, lesson.max_length, workspace)
        spec = task_spec(data)
        with seeded(derive_seed(lesson.seed, "teacher", digest(base))):
            model = load_classifier(base, spec.head)
        _teach(model, load_tokenizer(base), train, dev, spec, lesson, folder, say, str(base), data.fingerprint)


def long_enough(training: Training, rows: int) -> Training:
    """The settings with epochs enough for LEAST_STEPS steps on so many rows, and an evaluation an epoch."""
    epochs = max(training.epochs, float(math.ceil(LEAST_STEPS / math.ceil(rows / training.batch_size))))
    return training.model_copy(update={"epochs": epochs, "evaluations": min(MOST_EVALUATIONS, math.ceil(epochs))})


def taught_folder(base: Path, data: Data, lesson: Training, workspace: Workspace) -> Path:
    """Where the encoder in `base` lies once it is taught: named by all of its files, the rows and the settings."""
    return workspace.teachers / _key(
        full_digest(base), data.fingerprint, data.split_seed, lesson.model_dump(), data.stride
    )


def _sample_folder(data: Data, corpus: Split, workspace: Workspace) -> Path:
    return workspace.teachers / _key("sample", fingerprint(data.task, corpus, {}), SAMPLE_TRAINING.model_dump())


def _sample_model(task: Task) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The sample's network before it is taught, and its tokenizer."""
    tokenizer = word_tokenizer(sample.vocabulary(task))
    head = Head(task.labels)
    seed = derive_seed(SAMPLE_TRAINING.seed, "sample teacher")
    return scratch_classifier(tokenizer, head, dropout=0.0, seed=seed), tokenizer


def _teach_sample(data: Data, corpus: Split, folder: Path, workspace: Workspace, say: Say) -> None:
    """Train the built-in teacher from scratch on a larger, clean corpus of the sample's grammar, unless it is there."""
    with _alone(folder):
        if workspace.recall(folder):
            return
        say(f"teacher: training the sample's from scratch on {len(corpus)} clean sentences, once (about a minute)")
        model, tokenizer = _sample_model(data.task)

        def encoded(split: Split) -> Encoded:
            length, real = SAMPLE_TRAINING.max_length, data.task.regression
            return encode(split, tokenizer, max_length=length, regression=real, cache=workspace.cache)

        dev = {name: encoded(split) for name, split in data.dev.items()}
        known, spec, lesson = fingerprint(data.task, corpus, {}), task_spec(data), SAMPLE_TRAINING
        _teach(model, tokenizer, encoded(corpus), dev, spec, lesson, folder, say, "sample, from scratch", known)


def _alone(folder: Path) -> filelock.BaseFileLock:
    """Of two processes that want the same teacher one teaches it, the other waits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder.with_name(f"{folder.name}.lock"))


def _teach(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    train: Encoded,
    dev: dict[str, Encoded],
    spec: TaskSpec,
    training: Training,
    folder: Path | OutputFolder,
    say: Say,
    source: str,
    fingerprint: str,
) -> tuple[Path, dict[str, float]]:
    lesson = Lesson(train, dev, spec, training, thread_count(), fingerprint)

    def tell(report: Report) -> None:
        say(f"teacher: {report.progress:4.0%} trained, {spec.primary} {report.score:.4f}, {report.seconds:.0f} s")

    def began(line: str) -> None:
        say(f"teacher: {line}")

    return teach(model, tokenizer, lesson, folder, tell, source=source, say=began)


def _short(name: str) -> str:
    """A model's name for a person: a folder by its last two parts."""
    return "/".join(Path(name).absolute().parts[-2:]) if Path(name).is_dir() else name


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
