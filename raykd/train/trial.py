"""From a trial's specification to its result: opens what it names, runs the method's chain, keeps the student.

A worker runs many trials one after the other, so what they share is loaded once a process: the teacher, the
tokenised splits, the student's starting weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from raykd.cpus import use_threads
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.methods import find
from raykd.methods.method import Link, Pair
from raykd.models.classifier import Head, load_classifier, load_config
from raykd.models.planned import student_shape
from raykd.models.save import save_student
from raykd.models.seen_rows import SEEN_ROWS, SeenRows, read_seen_rows
from raykd.models.shape import Shape
from raykd.models.source import Version, version
from raykd.models.student import make_student, parse_student, shape
from raykd.models.tokenizer import load_tokenizer
from raykd.seeds import derive_seed
from raykd.tasks.encode import Encoded
from raykd.tasks.holdout import SELECT
from raykd.train.config import TrialSpec
from raykd.train.ensemble import ensemble_scores
from raykd.train.loop import CHECKPOINT_EVERY, Report, distill
from raykd.train.run_files import STUDENT, clear_contents
from raykd.train.scene import Around, tokens_of
from raykd.train.spread import everywhere
from raykd.train.stages import Best
from raykd.train.world import World

DISTILL = "distill"  # the command that makes students, on their cards


@dataclass(frozen=True)
class Keeping:
    """How the runs of a trial keep what they have done; see `distill`."""

    every: float
    saved: Callable[[], object]
    leave: Callable[[], bool]
    pauses: int


def run_trial(
    spec: TrialSpec,
    report: Callable[[Report], bool],
    *,
    world: World | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
    saved: Callable[[], object] = lambda: None,
    leave: Callable[[], bool] = lambda: False,
) -> Report | None:
    """Run `spec` to its end or until `report` answers False; resumes what its folder holds.

    Most methods are one run. A chain (assistants, generations) runs its earlier links whole and unreported, each kept
    in a folder of its own; the last link is the trial's result. Leaves ``student/`` (only of a run that ended) in the
    trial's folder. saved, called whenever a checkpoint or a student stands, and leave: see `distill`, which also says
    what is raised.
    """
    world = world or World()
    use_threads(spec.threads)
    folder = Path(spec.folder)
    folder.mkdir(parents=True, exist_ok=True)
    method = find(spec.method)
    links = method.links(method.parameters.model_validate(spec.parameters), pair_of(spec))
    earlier: list[Path] = []
    keeping = Keeping(checkpoint_every, saved, leave, spec.pauses)
    unreported = replace(world, attend=lambda: None)  # nobody reports an earlier link, so nobody waits for a report
    for number, link in enumerate(links[:-1], start=1):
        place = folder / f"link-{number}"
        if not everywhere(place / STUDENT, world):
            seed = derive_seed(spec.training.seed, "link", link.name)
            _run(link, spec, earlier, place, lambda done, model: True, unreported, keeping, seed)
            if world.main:
                clear_contents(place, keep=frozenset({STUDENT}))
            everywhere(place / STUDENT, world)
        earlier.append(place / STUDENT)

    def keep(done: Report, student: PreTrainedModel) -> bool:
        if method.ensemble and done.progress == 1.0:
            dev = {name: _split(path) for name, path in spec.dev.items()}
            before = [load_classifier(path, spec.task.head) for path in earlier]
            done.metrics.update(ensemble_scores([*before, student], spec.task, dev))
        return report(done)

    return _run(links[-1], spec, earlier, folder, keep, world, keeping, spec.training.seed)


def _run(
    link: Link,
    spec: TrialSpec,
    earlier: list[Path],
    folder: Path,
    report: Callable[[Report, PreTrainedModel], bool],
    world: World,
    keeping: Keeping,
    seed: int,
) -> Report | None:
    """One run of a chain: its student is saved under `folder` by the main worker."""
    folder.mkdir(parents=True, exist_ok=True)
    head = spec.task.head
    student = _learner(link, spec, head, seed)
    taught = earlier[-1] if link.taught_by == "previous" and earlier else Path(spec.teacher)
    teacher = None
    if link.taught_by != "nobody":
        teacher = _given(spec) if taught == Path(spec.teacher) else live_teacher(load_classifier(taught, head))
    pair = Pair(teacher.shape if teacher else shape(student), shape(student), spec.task.kind, spec.corpus is not None)
    training = spec.training.model_copy(update={"epochs": spec.training.epochs * link.epochs, "seed": seed})
    last = distill(
        student,
        link.recipe(pair),
        _split(spec.train),
        {name: _split(path) for name, path in spec.dev.items()},
        spec.task,
        training,
        folder,
        lambda done: report(done, student),
        teacher=teacher,
        around=_around(spec, taught),
        world=world,
        checkpoint_every=keeping.every,
        saved=keeping.saved,
        leave=keeping.leave,
        pauses=keeping.pauses,
    )
    if last is not None and world.main:
        about = {"command": DISTILL, "spec": spec.model_dump(), "link": link.name, "scores": last.metrics}
        seen = {SEEN_ROWS: seen_by(spec).to_bytes()}
        save_student(student, load_tokenizer(Path(spec.teacher)), folder / STUDENT, card=about, extra=seen)
        Best(folder).forget()
        keeping.saved()
    world.agree(True)  # nobody goes on before the student stands
    return last


def seen_by(spec: TrialSpec) -> SeenRows:
    """The rows that the student of a trial has seen by its end, its teacher's included."""
    learnt = [_split(spec.train).hashes]
    if spec.corpus is not None:
        learnt.append(_split(spec.corpus).hashes)
    selected = [_split(path).hashes for name, path in spec.dev.items() if name == SELECT]
    student = read_seen_rows(Path(spec.student)) or SeenRows()  # one that was given; a description is no folder
    learnt += [student.learnt, student.teacher]
    teacher = read_seen_rows(Path(spec.teacher)) or SeenRows()
    return SeenRows(
        learnt=np.concatenate(learnt),
        selected=np.concatenate([*selected, student.selected, teacher.selected]),
        teacher=np.concatenate([teacher.learnt, teacher.teacher]),
    )


def pair_of(spec: TrialSpec) -> Pair:
    """What the method's recipe is planned with, before anything is loaded."""
    student = student_shape(parse_student(spec.student), Path(spec.origin))
    return Pair(_shape(spec.teacher), student, spec.task.kind, spec.corpus is not None)


def _learner(link: Link, spec: TrialSpec, head: Head, seed: int) -> PreTrainedModel:
    origin = Path(spec.origin)
    described = {"student": spec.student, "teacher": f"cut:{_shape(spec.origin).layers}"}.get(
        link.learner, link.learner
    )
    head_from = Path(spec.teacher) if spec.head == "teacher" and link.learner == "student" else None
    return make_student(parse_student(described), origin, head, seed=seed, head_from=head_from)


def _around(spec: TrialSpec, teacher: Path) -> Around:
    """What a few recipes want: the corpus, token ids, the encoder's folder, a place to keep facts."""
    vocabulary = tokens_of(load_tokenizer(Path(spec.teacher)))
    corpus = None if spec.corpus is None else _split(spec.corpus)
    return Around(vocabulary, Path(spec.origin), corpus, Path(spec.train), repr((str(teacher), version(teacher))))


def _given(spec: TrialSpec) -> Teacher:
    """The sweep's teacher: what is stored of it, and the network for the rest."""
    folder = Path(spec.teacher)

    def load() -> PreTrainedModel:
        return _teacher(str(folder), version(folder), spec.task.head)

    return Teacher(_shape(spec.teacher), load, _knowledge(spec.knowledge, spec.train) if spec.knowledge else None)


@functools.lru_cache(maxsize=4)
def _knowledge(folders: tuple[str, ...], train: str) -> Knowledge:
    return Knowledge(map(Path, folders), _split(train))


@functools.lru_cache(maxsize=2)
def _teacher(folder: str, version: Version, head: Head) -> PreTrainedModel:
    """Loaded once a process; a folder that was written anew is another teacher."""
    return load_classifier(Path(folder), head)


@functools.lru_cache(maxsize=4)
def _shape(folder: str) -> Shape:
    return shape(load_config(Path(folder)))


@functools.lru_cache(maxsize=8)
def _split(folder: str) -> Encoded:
    return Encoded.open(Path(folder))
