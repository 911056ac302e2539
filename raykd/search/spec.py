"""What defines a sweep, and the folder it lives in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from raykd.errors import UserError
from raykd.models.cost import Cost
from raykd.search.request import SweepRequest
from raykd.train.config import TaskSpec, Training, TrialSpec

SPEC = "sweep.json"


class SweepSpec(BaseModel):
    """Everything a sweep was started with, resolved: a resume reads this and nothing else."""

    name: str
    uid: str = Field(default_factory=lambda: uuid.uuid4().hex)
    request: SweepRequest | None = Field(None, description="what was asked for, which a resume is compared with")
    task: TaskSpec
    source: str = Field(description="where the data came from, for a person")
    fingerprint: str = Field(description="hash of the data")
    train: str = Field(description="this, dev, teacher, origin, corpus: folders as Workspace.publish names them")
    dev: dict[str, str] = Field(description="the first one selects, the second one reports if there is one")
    teacher: str = Field(description="folder of the fine-tuned teacher")
    teacher_name: str
    teacher_score: float
    teacher_parameters: int
    student: str = Field(description="the first one, where the space searches several")
    origin: str = Field(description="folder of the model the student is cut from or built after")
    head: str = Field("fresh", description="where a cut student's head comes from")
    student_parameters: int
    student_place: str | None = Field(None, description="folder of a given student, where other machines must find it")
    student_places: dict[str, str] = Field(default_factory=dict, description="the same by student, of the others")
    costs: dict[str, Cost] = Field(default_factory=dict, description="by student, as far as they were measured")
    teacher_cost: Cost | None = None
    costs_of: str = Field("", description="what a latency is of, for a person")
    aim: str | None = Field(None, description="what the champion is chosen by; None: the best score")
    corpus: str | None = Field(None, description="folder of the user's tokenised texts beside the task's")
    knowledge: tuple[str, ...] = Field((), description="what is stored of the teacher; worked out at each start")
    space: str = Field(description="name of the search space; its file is kept beside this one")
    method: str | None = Field(description="the method that the space was narrowed to, if any")
    pinned: dict[str, Any] = Field(default_factory=dict, description="parameters that flags took out of the search")
    sampler: str = "tpe"
    trials: int
    training: Training
    concurrency: int
    workers: int = 1
    gpus_per_worker: float = 0.0
    threads: int = 1
    seed: int = 1
    tracking_uri: str
    study_uri: str | None = Field(None, description="database of the Optuna study; None: SQLite in the sweep's folder")
    pruner: Literal["halving", "promotion", "paired", "none"] = "halving"
    floor: float | None = Field(None, description="the score of always giving the same answer, where trials select")
    grace: int = Field(2, description="evaluations before a trial may be stopped")
    reduction: int = Field(2, description="one in this many goes on at each rung")
    max_epochs: float | None = Field(None, description="no trial starts once the search has had so many in all")
    finalists: int = Field(0, description="configurations that run again on fresh seeds")
    final_seeds: int = Field(0, description="how many")

    def save(self, folder: Path) -> None:
        """Write ``sweep.json``, atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{SPEC}.tmp"
        temporary.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        os.replace(temporary, folder / SPEC)

    def reached(self, reach: Callable[[str], str]) -> SweepSpec:
        """The same with the folders that trials read as `reach` finds them."""
        places = {name: reach(place) for name, place in (("train", self.train), ("teacher", self.teacher))}
        corpus = None if self.corpus is None else reach(self.corpus)
        dev = {split: reach(place) for split, place in self.dev.items()}
        student = None if self.student_place is None else reach(self.student_place)
        others = {name: reach(place) for name, place in self.student_places.items()}
        places |= {"origin": reach(self.origin)}
        update = {**places, "corpus": corpus, "dev": dev, "student_place": student, "student_places": others}
        return self.model_copy(update=update)

    def student_of(self, settings: Mapping[str, Any]) -> str:
        """The description of the student that a trial with these settings trains."""
        return str(settings.get("student", self.student))

    def cost_of(self, settings: Mapping[str, Any]) -> Cost | None:
        """What that student costs, if it was measured."""
        return self.costs.get(self.student_of(settings))

    def parameters_of(self, settings: Mapping[str, Any]) -> int:
        """How many weights that student has."""
        cost = self.cost_of(settings)
        return self.student_parameters if cost is None else cost.parameters

    def trial(self, label: str, settings: dict[str, Any], trials: str, *, halved: int = 0) -> TrialSpec:
        """The whole specification of a trial with these settings. trials: the folder or URL that holds its folder;
        halved: how often its micro-batch was halved because memory ran out."""
        training = {key: value for key, value in settings.items() if key in Training.model_fields}
        used = self.training.model_copy(update=training)
        student = self.student_of(settings)
        place = self.student_place if student == self.student else self.student_places.get(student)
        return TrialSpec(
            label=label,
            folder=f"{trials}/{label}",
            task=self.task,
            train=self.train,
            dev=self.dev,
            teacher=self.teacher,
            student=place or student,
            origin=self.origin,
            head=self.head,
            corpus=self.corpus,
            knowledge=self.knowledge,
            pauses=self.grace if self.pruner == "promotion" else 0,
            method=settings["method"],
            parameters={key: settings[key] for key in settings if key not in (*training, "method", "student")},
            training=used.model_copy(update={"accumulation": used.accumulation * 2**halved}),
            workers=self.workers,
            gpus_per_worker=self.gpus_per_worker,
            threads=self.threads,
        )

    @classmethod
    def read(cls, folder: Path) -> SweepSpec:
        """The spec of the sweep in `folder`; UserError if there is none, or a damaged one."""
        if not (folder / SPEC).is_file():
            raise UserError(f"no sweep in {folder}: it holds no {SPEC}")
        try:
            return cls.model_validate_json((folder / SPEC).read_bytes())
        except (OSError, ValueError) as error:  # pydantic's are ValueErrors
            raise UserError(f"sweep in {folder}: its {SPEC} is damaged: {error}") from error
