"""What a sweep was asked for, flag by flag: a resume says where it is asked for something else."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from raykd.beside import Beside
from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.search.how import How
from raykd.tasks.source import Source

# Arguments that may name local files and folders.
PATHS = ("data", "dev_file", "teacher", "student", "space", "corpus", "unlabelled", "augment_with", "augment_vectors")


class SweepRequest(BaseModel):
    """The arguments of a sweep that decide what comes out of it; a field with its default was not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    task_name: str | None = None
    data: str = "hub"
    dev_file: str | None = None
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    max_train_samples: int | None = None
    max_eval_samples: int | None = None
    doc_stride: int | None = None
    split_seed: int = 0
    encoding: str | None = None
    separator: str | None = None
    quoting: str = "csv"
    drop_bad_rows: bool = False
    labels: str | None = None
    teacher: str | None = None
    student: tuple[str, ...] = ()
    head: str = "fresh"
    label_map: str | None = None
    method: str | None = None
    space: str | None = None
    trials: int = 20
    sampler: str = "tpe"
    select_on: str = "held-out"
    pruner: str = "halving"
    grace: int | None = None
    reduction: int | None = None
    max_epochs_total: float | None = None
    finalists: int = 3
    final_seeds: int = 3
    warm_start: bool = False
    aim: str | None = None
    epochs: float | None = None
    seed: int = 1
    max_length: int | None = None
    workers_per_trial: int = 1
    corpus: str | None = None
    unlabelled: str | None = None
    augment: int | None = None
    augment_with: str | None = None
    augment_vectors: str | None = None

    @classmethod
    def of_arguments(cls, **arguments: Any) -> SweepRequest:
        """The request, with local files and folders by their absolute paths: a resume may start elsewhere."""
        for name in PATHS:
            value = arguments.get(name)
            if isinstance(value, str):
                arguments[name] = _absolute(value)
            elif value:
                arguments[name] = tuple(_absolute(item) for item in value)
        return cls(**arguments)

    def differences(self, sweep: str, saved: SweepRequest) -> list[str]:
        """What is asked for that the sweep does not have, a sentence each.

        Args:
            sweep: The sweep's name.
            saved: What it was started with.
        """
        now, before = self.model_dump(), saved.model_dump()
        problems = []
        for name, field in type(self).model_fields.items():
            if now[name] not in (field.default, before[name]):
                flag = f"--{name.replace('_', '-')} {_text(now[name])}"
                problems.append(f"{flag}: sweep '{sweep}' has {_text(before[name])}{HINTS.get(name, '')}")
        return problems

    def check_same(self, sweep: str, saved: SweepRequest) -> None:
        """Raise UserError with every difference; see `differences`."""
        if problems := self.differences(sweep, saved):
            raise UserError(*problems, REMEDY)


def request_of(task: str, source: Source, how: How, beside: Beside, **arguments: Any) -> SweepRequest:
    """All arguments that decide what comes out of a sweep, as one value."""
    student, augmentation = arguments.pop("student"), beside.augmentation
    return SweepRequest.of_arguments(
        task=task,
        task_name=source.task_name,
        data=source.data,
        dev_file=source.dev_file,
        text_columns=source.text_columns,
        label_column=source.label_column,
        max_train_samples=source.max_train_samples,
        max_eval_samples=source.max_eval_samples,
        doc_stride=source.doc_stride,
        split_seed=source.split_seed,
        **vars(source.reading),
        student=(student,) if isinstance(student, str) else tuple(student or ()),
        corpus=beside.corpus,
        unlabelled=beside.unlabelled,
        augment=None if augmentation is None else augmentation.attempts,
        augment_with=None if augmentation is None else augmentation.masked_lm,
        augment_vectors=None if augmentation is None else augmentation.vectors,
        **{name: value for name, value in vars(how).items() if name != "extend"},
        **arguments,
    )


REMEDY = "leave these out to go on with that sweep, or leave out --resume to start another one"
HINTS = {"trials": "; --extend N adds N"}


def _absolute(value: str) -> str:
    path = expand_home(value)
    try:
        return str(path.resolve()) if value not in ("hub", "sample") and path.exists() else value
    except OSError:  # too long for a path
        return value


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
