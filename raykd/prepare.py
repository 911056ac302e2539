"""What every command needs before anything is trained: data, tokenised once, and a teacher that knows the task.

Everything a user may have got wrong is looked at here, cheap things first, before the first gradient.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from raykd.beside import Beside
from raykd.cpus import use_threads
from raykd.dry_run import DryRun
from raykd.errors import UserError, from_pydantic, together, unknown
from raykd.methods.method import Method, Pair, Parameters
from raykd.models.classifier import load_classifier
from raykd.models.positions import check_length
from raykd.models.relabel import parse_label_map, relabelled
from raykd.models.source import resolve
from raykd.models.spec import Given, parse_student
from raykd.models.student import size_of
from raykd.models.tokenizer import load_tokenizer
from raykd.overlap import check_unseen
from raykd.pairs import pairs_of, size_and_words, size_warnings
from raykd.tasks.data import Data, Split
from raykd.tasks.encode import Encoded
from raykd.tasks.holdout import SELECT, with_selection
from raykd.tasks.metrics import majority
from raykd.tasks.summary import data_lines
from raykd.tasks.truncation import cut_lines
from raykd.teacher_checks import score_teacher, warn_of_several_labels
from raykd.teachers import DEFAULT_TEACHER, Say, encode_split, find_teacher, is_sample, task_spec
from raykd.train.config import TaskSpec, Training
from raykd.workspace import Workspace

LARGEST_SEED = 2**32 - 1  # that every generator takes


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
    teacher_answers: dict[str, str]  # by split, packed, where it was scored
    teacher_parameters: int
    origin: Path  # what students are cut from
    sizes: dict[str, int]  # the students by description, in their order, with their parameters
    pairs: dict[str, Pair]  # each with the teacher
    floor: float  # the score of always giving the same answer, on the split that selects
    rows: tuple[int, int]  # of the split that selects, and of train
    corpus: Path | None  # tokenised texts to retrieve from
    tokenising: float = 0.0  # seconds a row of train, where it was done
    lesson: Training | None = None  # of a dry run: what the teacher would be taught with, and on how many rows
    lesson_rows: int = 0

    @property
    def student(self) -> str:
        """The first one."""
        return next(iter(self.sizes))


def training_of(settings: dict[str, Any]) -> Training:
    """Checked training settings; UserError names every bad one. None stands for the default."""
    try:
        training = Training(**{key: value for key, value in settings.items() if value is not None})
    except ValidationError as error:
        raise from_pydantic("training", error, Training.model_fields) from None
    if training.seed > LARGEST_SEED:
        raise UserError(f"seed = {training.seed}: at most {LARGEST_SEED}")
    return training


def check_head(source: str) -> None:
    """UserError for what --head does not know."""
    if source not in ("fresh", "teacher"):
        raise UserError(unknown("head", source, ("fresh", "teacher")))


def prepare(
    data: Data,
    teacher: str | None,
    training: Training,
    workspace: Workspace,
    say: Say,
    student: str | Sequence[str] | None = None,
    suits: Callable[[Pair, Path], object] = lambda pair, origin: None,
    beside: Beside = Beside(),  # noqa: B008 (frozen)
    head_source: str = "fresh",
    *,
    check: Callable[[], object] = lambda: None,
    hold_out: bool = False,
    spare: bool = False,
    dry: DryRun | None = None,
    label_map: str | None = None,
) -> Prepared:
    """Tokenise `data`, find or teach the teacher, and check that it and each `student` can serve.

    student: a description (see raykd.models.spec) or several, or None for every other layer of the teacher. teacher:
    see find_teacher. suits: told of each pair of networks as soon as it is known, to refuse it; of several students
    those are left out, and only if none is left the data are refused. head_source: where the head of a cut student
    comes from, "fresh" or "teacher". hold_out: students are to be selected by rows of train that they do not learn
    from. spare: of several students those that cannot be made are left out too. Raises UserError where the teacher is
    no better than the majority class, or where labels, vocabulary or sizes do not fit.

    check: called before anything takes long, and may refuse as well. dry: of a dry run, whose rows `data` are: what is
    tokenised goes to its folder, and a teacher that would have to be taught is stood in for, and not scored. label_map:
    which class each output of the teacher is (see parse_label_map).
    """
    for line in data_lines(data):
        say(f"data: {line}")
    check_head(head_source)
    spec = task_spec(data)
    head, length = spec.head, training.max_length
    texts = beside.read(data.task)
    kind = (spec.kind, texts.corpus is not None)
    store = Workspace(dry.folder) if dry else workspace
    asked = teacher or (None if is_sample(data) else DEFAULT_TEACHER)
    if asked is not None:  # before the teacher is taught, which takes long
        base = resolve(asked, role="teacher")
        parts: list[Callable[[], Any]] = [
            lambda: check_length("teacher", base, length),
            lambda: pairs_of(student, base, base, kind, suits, lambda line: None, length, spare=spare),
            lambda: None if label_map is None else parse_label_map(label_map, head.labels),
        ]
        *_, order = together(parts)
        warn_of_several_labels(asked, base, spec, say)
        if order is not None:
            asked = str(relabelled(base, order, head, store.teachers / "relabelled"))
    elif label_map is not None:
        raise UserError("label-map is for a teacher of your own (--teacher)")
    check()
    found = find_teacher(dry.whole_data if dry else data, asked, training, workspace, say, dry.folder if dry else None)
    tokenizer = load_tokenizer(found.folder)
    pairs = pairs_of(student, found.folder, found.origin, kind, suits, say, length, spare=spare)
    head_from = found.folder if head_source == "teacher" and found.lesson is None else None
    sized = [partial(size_and_words, one, found.origin, head, tokenizer, head_from) for one in pairs]
    sizes = dict(zip(pairs, together(sized), strict=True))
    model = load_classifier(found.folder, head)
    for line in size_warnings(sizes, pairs, size_of(model)):
        say(f"warning: {line}")
    use_threads()
    chosen = with_selection(data) if hold_out else data
    selecting = next(iter(chosen.dev))
    if hold_out:
        say(_selection(data, chosen))
    if not found.taught:
        check_unseen("teacher", found.folder, chosen.dev, say)
    for description in sizes:
        if isinstance(spec_of := parse_student(description), Given):
            check_unseen("student", resolve(spec_of.name, role="student"), chosen.dev, say)

    def coded(split: Split) -> Encoded:
        return encode_split(split, data.task, found.folder, length, store, stride=data.stride)

    dev = {name: coded(split) for name, split in chosen.dev.items()}
    if found.lesson is None:
        score, answers = score_teacher(found, model, data, dev, spec, say)
    else:
        score, answers = float("nan"), dict[str, str]()
        say(f"teacher '{found.name}' is not fine-tuned in a dry run: its network with a fresh head stands in for it")
    # What takes longest comes last: all that could be refused has been.
    extended = texts.extend(chosen, found.origin, store, say).train
    started = time.perf_counter()
    train = coded(extended)
    tokenising = (time.perf_counter() - started) / len(extended)
    corpus = None if texts.corpus is None else coded(texts.corpus).folder
    for line in cut_lines({"train": train, **dev}, data.task, length):
        say(f"data: {line}")
    torch.cuda.empty_cache()  # trials on this machine want what was used here
    return Prepared(
        task=spec,
        source=data.source,
        fingerprint=data.fingerprint,
        train=train.folder,
        dev={key: split.folder for key, split in dev.items()},
        teacher=found.folder,
        teacher_name=found.name,
        teacher_score=score,
        teacher_answers=answers,
        teacher_parameters=size_of(model),
        origin=found.origin,
        sizes=sizes,
        pairs=pairs,
        floor=majority(data.task, chosen.dev[selecting].labels),
        rows=(len(chosen.dev[selecting]), len(train)),
        corpus=corpus,
        tokenising=tokenising,
        lesson=found.lesson,
        lesson_rows=found.lesson_rows,
    )


def parameters_of(method: Method, given: dict[str, Any]) -> Parameters:
    """Checked hyperparameters of `method`; UserError names every bad one."""
    try:
        return method.parameters.model_validate(given)
    except ValidationError as error:
        raise from_pydantic(method.name, error, method.parameters.model_fields) from None


def _selection(data: Data, chosen: Data) -> str:
    """What students are selected by, for a person."""
    reporting = next(iter(data.dev))
    if chosen is data:
        return f"data: too few training rows to hold some out: {reporting} both selects and reports"
    held = len(chosen.dev[SELECT])
    return f"data: {held:,} of {len(data.train):,} training rows are held out to select by; {reporting} reports"
