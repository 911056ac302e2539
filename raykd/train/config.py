"""Typed configuration of one training run. Everything here is plain JSON, so a trial can travel and be repeated."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from raykd.models.classifier import Head


class Training(BaseModel):
    """Optimisation settings shared by teaching and distillation. Defaults follow BERT fine-tuning."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    learning_rate: float = Field(5e-5, gt=0, le=1, description="peak of AdamW's learning rate")
    epochs: float = Field(3.0, gt=0, description="passes over the training split; fractions are allowed")
    batch_size: int = Field(32, ge=1, description="sentences an optimiser step, over all workers")
    accumulation: int = Field(1, ge=1, description="micro-batches a step's batch is split into")
    warmup: float = Field(0.1, ge=0, lt=1, description="fraction of the steps of linear warm-up; linear decay follows")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decoupled decay; none on biases and norms")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient clipping, L2 norm over all parameters")
    max_length: int = Field(128, ge=8, description="tokens a row is cut to")
    evaluations: int = Field(8, ge=1, description="evaluations, at equal fractions of the run")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="of initialisation, order and dropout")


class TaskSpec(BaseModel):
    """What training must know of a task. labels: class names in order, () for a number or a span; primary selects.

    kind: by default what the labels say: classes, or a number where there are none. The card of a saved model keeps
    all of it, so that later commands read rows as this one did.
    """

    name: str = Field(description="its identity: a named task, or data of one's own")
    base: str = Field("", description="the task as --task names it, where that is another name")
    texts: tuple[str, ...] = Field((), description="columns of the one or two texts of a row; () where not known")
    label_column: str = ""
    split_seed: int = Field(0, description="decides which rows are held out")
    file_hash: str = Field("", description="of all rows of the file of one's own that it was made from")
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    primary: str
    kind: Literal["classes", "number", "span"] = "classes"
    stride: int | None = Field(None, description="tokens that windows of a context share, if not the default number")

    @model_validator(mode="before")
    @classmethod
    def _kind_of_labels(cls, given: Any) -> Any:
        """Cards written before there were spans name no kind."""
        if isinstance(given, dict) and "kind" not in given:
            return given | {"kind": "classes" if given.get("labels") else "number"}
        return given

    @property
    def flag(self) -> str:
        """The task as --task names it."""
        return self.base or self.name

    @property
    def text_names(self) -> tuple[str, ...]:
        """Names of the one or two texts of a row; () where they are not known."""
        return self.texts or (("question", "context") if self.kind == "span" else ())

    @property
    def regression(self) -> bool:
        """True when the label is a real number."""
        return self.kind == "number"

    @property
    def head(self) -> Head:
        """What a model for this task must end in."""
        return Head(self.labels, span=self.kind == "span")


class TrialSpec(BaseModel):
    """One trial, complete: whoever holds this and the folders it names can run it again."""

    label: str = Field(description="the trial's name in its sweep, e.g. t0003")
    folder: str = Field(description="where the trial keeps its checkpoints and its student")
    task: TaskSpec
    train: str = Field(description="folder of the tokenised training split")
    dev: dict[str, str] = Field(description="folders of the tokenised dev splits; the first one selects")
    teacher: str = Field(description="folder of the teacher")
    student: str = Field(description="student description, e.g. cut:3")
    origin: str = Field(description="folder of the model a student is cut from or built after")
    head: str = Field("fresh", pattern="fresh|teacher", description="where a cut student's head comes from")
    corpus: str | None = Field(None, description="folder of the user's tokenised texts beside the task's")
    knowledge: tuple[str, ...] = Field((), description="folders of what is stored of the teacher on the train split")
    pauses: int = Field(0, description="from this evaluation on a checkpoint stands before each; 0: as time goes by")
    method: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    training: Training = Training()
    workers: int = 1
    gpus_per_worker: float = 0.0
    threads: int = Field(1, ge=1, description="CPU threads of a worker")
