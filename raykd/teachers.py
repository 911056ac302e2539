"""Finding a teacher that knows the task: fine-tuned by someone, fine-tuned here once, or the built-in sample's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from raykd.cpus import thread_count
from raykd.models.classifier import has_head, load_classifier
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.seed import seeded
from raykd.models.source import digest, resolve
from raykd.models.tokenizer import load_tokenizer
from raykd.outputs import OutputFolder
from raykd.seeds import derive_seed
from raykd.tasks import sample
from raykd.tasks.data import Data, Split, fingerprint
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.task import Task
from raykd.train.config import TaskSpec, Training
from raykd.train.loop import Report
from raykd.train.teach import Lesson, teach
from raykd.workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DEFAULT_TEACHER = "google-bert/bert-base-uncased"
SAMPLE_TRAINING = Training(learning_rate=1e-3, epochs=3, batch_size=64, max_length=64, evaluations=4)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Teacher:
    """A fine-tuned teacher: its folder, its name for a person, the folder students are cut from.

    taught: raykd fine-tuned it. Students are then cut from the weights before that, as in the papers, so that the
    undistilled baseline owes nothing to the teacher's training.
    """

    folder: Path
    name: str
    origin: Path
    taught: bool


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


def find_teacher(data: Data, name: str | None, training: Training, workspace: Workspace, say: Say) -> Teacher:
    """The teacher called `name` (a folder or hub name), or the default one for this data.

    An encoder without a head for the task is fine-tuned first, and kept for the next time.
    """
    if name is None and is_sample(data):
        folder = _sample_teacher(data, workspace, say)
        return Teacher(folder, "sample", folder, taught=True)
    name = name or DEFAULT_TEACHER
    base = resolve(name, role="teacher")
    if has_head(base, span=data.task.span):
        return Teacher(base, _short(name), base, taught=False)
    return Teacher(_taught(base, data, training, workspace, say), _short(name), base, taught=True)


def is_sample(data: Data) -> bool:
    """Whether the rows are the built-in sample's, which has a teacher of its own."""
    return data.source.startswith("built-in sample")


def teach_teacher(
    data: Data, base: str | None, training: Training, folder: OutputFolder, workspace: Workspace, say: Say
) -> tuple[Path, dict[str, float]]:
    """Fine-tune the encoder `base` (a folder or hub name) on `data` into `folder`; returns where it lies, and its dev
    metrics."""
    source = resolve(base or DEFAULT_TEACHER, role="teacher")
    train, dev = encode_all(data, source, training.max_length, workspace)
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


def _taught(base: Path, data: Data, training: Training, workspace: Workspace, say: Say) -> Path:
    """The encoder in `base` fine-tuned on this data, from an earlier time if it was done before."""
    lesson = Training(max_length=training.max_length, seed=training.seed, evaluations=3)
    weights = sorted((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in base.glob("*.safetensors"))
    stride = [] if data.stride is None else [data.stride]
    folder = workspace.teachers / _key(str(base), weights, data.fingerprint, lesson.model_dump(), *stride)
    with _alone(folder):
        if workspace.recall(folder):
            return folder
        lacks = "head for spans" if data.task.span else "classifier"
        say(f"teacher: {_short(str(base))} has no {lacks}; fine-tuning it for {lesson.epochs:g} epochs, once")
        train, dev = encode_all(data, base, training.max_length, workspace)
        spec = task_spec(data)
        with seeded(derive_seed(lesson.seed, "teacher", digest(base))):
            model = load_classifier(base, spec.head)
        _teach(model, load_tokenizer(base), train, dev, spec, lesson, folder, say, str(base), data.fingerprint)
    return folder


def _sample_teacher(data: Data, workspace: Workspace, say: Say) -> Path:
    """The built-in teacher, trained from scratch on a larger, clean corpus of the sample's grammar."""
    corpus = sample.corpus(data.task, SAMPLE_TRAINING.seed)
    known = fingerprint(data.task, corpus, {})
    folder = workspace.teachers / _key("sample", known, SAMPLE_TRAINING.model_dump())
    with _alone(folder):
        if workspace.recall(folder):
            return folder
        spec = task_spec(data)
        say(f"teacher: training the sample's from scratch on {len(corpus)} clean sentences, once (about a minute)")
        tokenizer = word_tokenizer(sample.vocabulary(data.task))
        model = scratch_classifier(
            tokenizer, spec.head, dropout=0.0, seed=derive_seed(SAMPLE_TRAINING.seed, "sample teacher")
        )

        def one(split: Split) -> Encoded:
            length, real = SAMPLE_TRAINING.max_length, data.task.regression
            return encode(split, tokenizer, max_length=length, regression=real, cache=workspace.cache)

        dev = {name: one(split) for name, split in data.dev.items()}
        _teach(model, tokenizer, one(corpus), dev, spec, SAMPLE_TRAINING, folder, say, "sample, from scratch", known)
    return folder


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
