"""Does a teacher know the task, and answer in the data's terms? Looked at before students learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from raykd.errors import UserError
from raykd.label_order import check_order, check_scale
from raykd.models.classifier import has_head, load_config
from raykd.tasks.data import Data
from raykd.tasks.encode import Encoded
from raykd.tasks.metrics import majority
from raykd.tasks.predictions import unpack
from raykd.teachers import Say, Teacher
from raykd.train.config import TaskSpec
from raykd.train.evaluate import examine

MULTI_LABEL = "multi_label_classification"  # as transformers calls it


def score_teacher(
    teacher: Teacher, model: PreTrainedModel, data: Data, dev: Mapping[str, Encoded], spec: TaskSpec, say: Say
) -> tuple[float, dict[str, str]]:
    """Score a teacher on the split that reports.

    Args:
        teacher: Where it comes from.
        model: Itself.
        data: The task's rows.
        dev: The same splits, tokenised.
        spec: The task.
        say: Takes the score and warnings.

    Returns:
        The task's metric, and the answers by split, packed.

    Raises:
        UserError: Answers that are not numbers, classes in another order, no better than the majority class.
    """
    reporting = next(iter(data.dev))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        scores, answers = examine(model, spec, {reporting: dev[reporting]}, device=device)
    except ValueError as error:  # its answers are not numbers
        raise UserError(f"teacher '{teacher.name}' cannot be scored: {error}") from error
    score, labels = scores[f"{reporting}/{spec.primary}"], np.asarray(dev[reporting].labels)
    if spec.kind == "classes" and not teacher.taught:
        check_order(teacher.name, unpack(answers[reporting]), labels, spec.labels)
    elif spec.kind == "number":
        check_scale(teacher.name, unpack(answers[reporting]), labels.astype(np.float64), say)
    _check_score(teacher, score, majority(data.task, data.dev[reporting].labels), spec, say)
    return score, answers


def warn_of_several_labels(name: str, folder: Path, spec: TaskSpec, say: Say) -> None:
    """A word on a teacher that was trained to give any number of labels a row."""
    if spec.kind == "classes" and has_head(folder) and load_config(folder).problem_type == MULTI_LABEL:
        said = f"was trained to give any number of labels a row ({MULTI_LABEL})"
        say(f"warning: teacher '{name}' {said}: its logits are softened as those of one label a row")


def _check_score(teacher: Teacher, score: float, floor: float, spec: TaskSpec, say: Say) -> None:
    blind = "never answering" if spec.kind == "span" else "the majority class"
    said = f"teacher '{teacher.name}' scores {score:.4f} {spec.primary} on dev; {blind} scores {floor:.4f}"
    if score > floor:
        say(said)
    elif teacher.taught:
        say(f"warning: {said}. A student has nothing to learn from it beyond the labels")
    else:
        lacks = "head for spans" if spec.kind == "span" else "classifier"
        raise UserError(
            f"{said}: it knows nothing of task '{spec.name}'. Fine-tune it first: raykd teach --task {spec.flag}, or "
            f"name an encoder without a {lacks}, which raykd fine-tunes by itself"
        )
