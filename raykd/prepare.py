"""What every command needs before anything is trained: data, tokenised once, and a teacher that knows the task.

Everything a user may have got wrong is looked at here, cheap things first, before the first gradient.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from raykd.errors import UserError, from_pydantic
from raykd.models.classifier import Head, has_head, load_classifier, load_config
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.source import resolve
from raykd.models.spec import Given
from raykd.models.student import check_student, make_student, parse_student, shape, size_of
from raykd.models.tokenizer import check_vocabulary, load_tokenizer
from raykd.tasks import sample
from raykd.tasks.data import Data, Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.metrics import majority
from raykd.train.config import TaskSpec, Training
from raykd.train.evaluate import evaluate
from raykd.train.loop import Report
from raykd.train.teach import Lesson, teach
from raykd.workspace import Workspace

DEFAULT_TEACHER = "google-bert/bert-base-uncased"
SAMPLE_TEACHER = "sample"  # trained from scratch by raykd, for the built-in sample alone
SAMPLE_TRAINING = Training(learning_rate=1e-3, epochs=3, batch_size=64, max_length=64, evaluations=4)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """Ready to distil: folders of the tokenised splits and of the fine-tuned teacher, and what was found on the way."""

    task: TaskSpec
    source: str
    fingerprint: str
    train: Path
    dev: dict[str, Path]
    teacher: Path
    teacher_name: str
    teacher_score: float
    teacher_parameters: int
    student: str
    origin: Path  # what the student is cut from
    student_parameters: int


def training_of(settings: dict[str, Any]) -> Training:
    """Checked training settings; UserError names every bad one. None stands for the default."""
    try:
        return Training(**{key: value for key, value in settings.items() if value is not None})
    except ValidationError as error:
        raise from_pydantic("training", error, Training.model_fields) from None


def task_spec(data: Data) -> TaskSpec:
    """The part of a task that training needs."""
    task = data.task
    return TaskSpec(name=task.name, labels=task.labels, metrics=task.metrics, primary=task.primary)


def prepare(
    data: Data,
    teacher: str | None,
    training: Training,
    workspace: Workspace,
    say: Say,
    student: str | None = None,
) -> Prepared:
    """Tokenise `data`, find or teach the teacher, and check that it and `student` can serve.

    student: a description (see raykd.models.spec), or None for every other layer of the teacher. teacher: a folder or
    hub name, or None for the default of this data. An encoder without a classifier is fine-tuned
    first and kept for the next time. Raises UserError where the teacher is no better than the majority class, or where
    labels, vocabulary or sizes do not fit.
    """
    say(f"data: {data.source}; {len(data.train)} train, " + ", ".join(f"{len(s)} {n}" for n, s in data.dev.items()))
    for note in data.notes:
        say(f"data: {note}")
    spec = task_spec(data)
    head = Head(spec.labels)
    name = teacher or (SAMPLE_TEACHER if data.source.startswith("built-in sample") else DEFAULT_TEACHER)
    if student is not None:
        parse_student(student)
    if name == SAMPLE_TEACHER:
        origin = folder = _sample_teacher(data, spec, workspace, say)
        taught = True
    else:
        # A student is cut from what was named: from pretrained weights, as in the papers, where raykd fine-tunes the
        # teacher itself; so the undistilled baseline owes nothing to the teacher's training.
        origin = base = resolve(name, role="teacher")
        if student is not None:
            check_student(parse_student(student), load_config(base))
        taught = not has_head(base)
        folder = _taught(base, data, spec, training, workspace, say) if taught else base
    tokenizer = load_tokenizer(folder)
    train, dev = _encode_all(data, folder, training.max_length, workspace)
    for split_name, split in {"train": train, **dev}.items():
        if split.truncated:
            say(f"data: {split.truncated} of {len(split)} {split_name} rows cut to {training.max_length} tokens")
    student = student or f"cut:{max(1, shape(load_config(folder)).layers // 2)}"
    size = _check_student(student, origin, head, tokenizer)
    model = load_classifier(folder, head)
    torch.set_num_threads(os.cpu_count() or 1)
    first = next(iter(dev))
    score = evaluate(model, spec, dev, device=torch.device("cpu"))[f"{first}/{spec.primary}"]
    floor = majority(data.task, data.dev[first].labels)
    _preflight(_short(name), score, floor, spec, taught, say)
    return Prepared(
        task=spec,
        source=data.source,
        fingerprint=data.fingerprint,
        train=train.folder,
        dev={key: split.folder for key, split in dev.items()},
        teacher=folder,
        teacher_name=_short(name),
        teacher_score=score,
        teacher_parameters=size_of(model),
        student=student,
        origin=origin,
        student_parameters=size,
    )


def teach_teacher(
    data: Data, base: str | None, training: Training, folder: Path, workspace: Workspace, say: Say
) -> dict[str, float]:
    """Fine-tune the encoder `base` (a folder or hub name) on `data` into `folder`; returns its dev metrics."""
    source = resolve(base or DEFAULT_TEACHER, role="teacher")
    train, dev = _encode_all(data, source, training.max_length, workspace)
    torch.manual_seed(training.seed)
    spec = task_spec(data)
    model = load_classifier(source, Head(spec.labels))
    return _teach(model, load_tokenizer(source), train, dev, spec, training, folder, say, str(source))


def _encode_all(data: Data, model: Path, length: int, workspace: Workspace) -> tuple[Encoded, dict[str, Encoded]]:
    tokenizer = load_tokenizer(model)

    def one(split: Split) -> Encoded:
        return encode(split, tokenizer, max_length=length, regression=data.task.regression, cache=workspace.cache)

    return one(data.train), {name: one(split) for name, split in data.dev.items()}


def _check_student(student: str, teacher: Path, head: Head, tokenizer: PreTrainedTokenizerFast) -> int:
    """Parameters of the student, once it is known to read the teacher's tokens (one cut or built does anyway)."""
    spec = parse_student(student)
    check_student(spec, load_config(teacher))
    made = make_student(spec, teacher, head, seed=0)
    if isinstance(spec, Given):
        check_vocabulary(tokenizer, load_tokenizer(resolve(spec.name, role="student")))
    return size_of(made)


def _preflight(name: str, score: float, floor: float, spec: TaskSpec, taught: bool, say: Say) -> None:
    said = f"teacher '{name}' scores {score:.4f} {spec.primary} on dev; the majority class alone scores {floor:.4f}"
    if score > floor:
        say(said)
    elif taught:
        say(f"warning: {said}. A student has nothing to learn from it beyond the labels")
    else:
        raise UserError(
            f"{said}: it knows nothing of task '{spec.name}'. Fine-tune it first: raykd teach --task {spec.name}, or "
            "name an encoder without a classifier, which raykd fine-tunes by itself"
        )


def _taught(base: Path, data: Data, spec: TaskSpec, training: Training, workspace: Workspace, say: Say) -> Path:
    """The encoder in `base` fine-tuned on this data, from an earlier time if it was done before."""
    lesson = Training(max_length=training.max_length, seed=training.seed, evaluations=3)
    weights = sorted((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in base.glob("*.safetensors"))
    folder = workspace.teachers / _key(str(base), weights, data.fingerprint, lesson.model_dump())
    if not folder.is_dir():
        say(f"teacher: {_short(str(base))} has no classifier; fine-tuning it for {lesson.epochs:g} epochs, once")
        torch.manual_seed(lesson.seed)
        train, dev = _encode_all(data, base, training.max_length, workspace)
        model = load_classifier(base, Head(spec.labels))
        _teach(model, load_tokenizer(base), train, dev, spec, lesson, folder, say, str(base))
    return folder


def _sample_teacher(data: Data, spec: TaskSpec, workspace: Workspace, say: Say) -> Path:
    """The built-in teacher, trained from scratch on a larger, clean corpus of the sample's grammar."""
    folder = workspace.teachers / _key("sample", data.fingerprint, SAMPLE_TRAINING.model_dump())
    if not folder.is_dir():
        corpus = sample.corpus(data.task, SAMPLE_TRAINING.seed)
        say(f"teacher: training the sample's from scratch on {len(corpus)} clean sentences, once (about a minute)")
        tokenizer = word_tokenizer(sample.vocabulary())
        model = scratch_classifier(tokenizer, Head(spec.labels), dropout=0.0, seed=SAMPLE_TRAINING.seed)

        def one(split: Split) -> Encoded:
            length, real = SAMPLE_TRAINING.max_length, data.task.regression
            return encode(split, tokenizer, max_length=length, regression=real, cache=workspace.cache)

        dev = {name: one(split) for name, split in data.dev.items()}
        _teach(model, tokenizer, one(corpus), dev, spec, SAMPLE_TRAINING, folder, say, "sample, from scratch")
    return folder


def _teach(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    train: Encoded,
    dev: dict[str, Encoded],
    spec: TaskSpec,
    training: Training,
    folder: Path,
    say: Say,
    source: str,
) -> dict[str, float]:
    lesson = Lesson(train, dev, spec, training, os.cpu_count() or 1)

    def tell(report: Report) -> None:
        say(f"teacher: {report.progress:4.0%} trained, {spec.primary} {report.score:.4f}, {report.seconds:.0f} s")

    return teach(model, tokenizer, lesson, folder, tell, source=source)


def _short(name: str) -> str:
    """A model's name for a person: a folder by its last two parts."""
    return "/".join(Path(name).absolute().parts[-2:]) if Path(name).is_dir() else name


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
