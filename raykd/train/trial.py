"""From a trial's specification to its result: opens what it names, runs the loop, keeps the student.

A worker runs many trials one after the other, so what they share is loaded once a process: the teacher, the
tokenised splits, the student's starting weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from raykd.methods import find
from raykd.methods.recipe import Method, Pair, Parameters, Recipe
from raykd.models.classifier import Head, load_classifier, load_config
from raykd.models.save import save_student
from raykd.models.shape import Shape
from raykd.models.student import make_student, parse_student, shape
from raykd.models.tokenizer import load_tokenizer
from raykd.tasks.encode import Encoded
from raykd.train.config import TrialSpec
from raykd.train.loop import CHECKPOINT_EVERY, Report, distill
from raykd.train.reports import write_report
from raykd.train.world import World

STUDENT = "student"  # the trained student, a plain save_pretrained folder


def run_trial(
    spec: TrialSpec,
    report: Callable[[Report], bool],
    *,
    world: World | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> Report | None:
    """Run `spec` to its end or until `report` answers False; resumes what its folder holds.

    Leaves ``student/`` (only of a run that ended) and ``reports.jsonl`` in the trial's folder.
    """
    world = world or World()
    torch.set_num_threads(spec.threads)
    folder = Path(spec.folder)
    folder.mkdir(parents=True, exist_ok=True)
    head = Head(spec.task.labels)
    method = find(spec.method)
    teacher = _teacher(spec.teacher, head) if method.needs_teacher else None
    student = make_student(parse_student(spec.student), Path(spec.origin), head, seed=spec.training.seed)
    recipe = make_recipe(method, spec, student)

    def keep(done: Report) -> bool:
        write_report(folder, done)
        return report(done)

    last = distill(
        student,
        recipe,
        _split(spec.train),
        {name: _split(path) for name, path in spec.dev.items()},
        spec.task,
        spec.training,
        folder,
        keep,
        teacher=teacher,
        world=world,
        checkpoint_every=checkpoint_every,
    )
    if last is not None and world.main:
        about = {"spec": spec.model_dump(), "scores": last.metrics}
        save_student(student, load_tokenizer(Path(spec.teacher)), folder / STUDENT, card=about)
    return last


def make_recipe(method: Method, spec: TrialSpec, student: PreTrainedModel) -> Recipe:
    """The method's recipe for this pair of networks, from checked parameters."""
    parameters: Parameters = method.parameters.model_validate(spec.parameters)
    pair = Pair(_teacher_shape(spec.teacher), shape(student), regression=spec.task.regression)
    return method.recipe(parameters, pair)


@functools.lru_cache(maxsize=2)
def _teacher(folder: str, head: Head) -> nn.Module:
    return load_classifier(Path(folder), head)


@functools.lru_cache(maxsize=2)
def _teacher_shape(folder: str) -> Shape:
    return shape(load_config(Path(folder)))


@functools.lru_cache(maxsize=8)
def _split(folder: str) -> Encoded:
    return Encoded.open(Path(folder))
