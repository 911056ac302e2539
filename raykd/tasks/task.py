"""What a task is: its columns, classes, metrics, where its data lies. Nine GLUE tasks and SQuAD as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from raykd.errors import UserError, unknown

CUSTOM = "custom"  # the task name for a user's own classes or scores; its Task is built from the file

NO_ANSWER = "no_answer_accuracy"  # the metric of tasks in which a question may have no answer

# A file of the standard GLUE folder holds these columns when it has no header (CoLA alone).
_COLA_COLUMNS = ("source", "label", "star", "sentence")


@dataclass(frozen=True)
class Task:
    """One task. `labels` are the class names in the official order, so that class i is `labels[i]`; () = a number, or
    the span of the second text that answers the first where `span` says so."""

    name: str
    title: str
    texts: tuple[str, ...]  # columns of the one or two texts on the hub
    labels: tuple[str, ...]
    metrics: tuple[str, ...]  # names that `raykd.tasks.metrics` knows
    primary: str  # the one of them that selects
    label_column: str = "label"
    hub: tuple[str, str] = ("", "")  # data set and configuration on the hub
    folder: str = ""  # in the standard GLUE layout
    file_texts: tuple[str, ...] = ()  # columns of the texts in that folder's files
    file_label: str = ""
    file_header: tuple[str, ...] = ()  # the columns of a file that has no header line
    dev: tuple[str, ...] = ("dev",)  # dev splits; the first one selects
    span: bool = False

    @property
    def kind(self) -> Literal["classes", "number", "span"]:
        """What an answer is."""
        return "span" if self.span else "classes" if self.labels else "number"

    @property
    def regression(self) -> bool:
        """True when the label is a real number."""
        return self.kind == "number"

    @property
    def outputs(self) -> int:
        """How many numbers a model gives for an example: one a class, or one; for a span, two a token."""
        return 2 if self.span else len(self.labels) or 1


TASKS: dict[str, Task] = {
    "cola": Task(
        name="cola",
        title="acceptability of a sentence (CoLA)",
        texts=("sentence",),
        labels=("unacceptable", "acceptable"),
        metrics=("matthews", "accuracy"),
        primary="matthews",
        hub=("nyu-mll/glue", "cola"),
        folder="CoLA",
        file_texts=("sentence",),
        file_label="label",
        file_header=_COLA_COLUMNS,
    ),
    "sst2": Task(
        name="sst2",
        title="sentiment of a film review (SST-2)",
        texts=("sentence",),
        labels=("negative", "positive"),
        metrics=("accuracy",),
        primary="accuracy",
        hub=("nyu-mll/glue", "sst2"),
        folder="SST-2",
        file_texts=("sentence",),
        file_label="label",
    ),
    "mrpc": Task(
        name="mrpc",
        title="paraphrase in the news (MRPC)",
        texts=("sentence1", "sentence2"),
        labels=("not_equivalent", "equivalent"),
        metrics=("accuracy", "f1"),
        primary="accuracy",
        hub=("nyu-mll/glue", "mrpc"),
        folder="MRPC",
        file_texts=("#1 String", "#2 String"),
        file_label="Quality",
    ),
    "stsb": Task(
        name="stsb",
        title="similarity of two sentences from 0 to 5 (STS-B)",
        texts=("sentence1", "sentence2"),
        labels=(),
        metrics=("pearson", "spearman"),
        primary="pearson",
        hub=("nyu-mll/glue", "stsb"),
        folder="STS-B",
        file_texts=("sentence1", "sentence2"),
        file_label="score",
    ),
    "qqp": Task(
        name="qqp",
        title="duplicate questions (QQP)",
        texts=("question1", "question2"),
        labels=("not_duplicate", "duplicate"),
        metrics=("accuracy", "f1"),
        primary="accuracy",
        hub=("nyu-mll/glue", "qqp"),
        folder="QQP",
        file_texts=("question1", "question2"),
        file_label="is_duplicate",
    ),
    "mnli": Task(
        name="mnli",
        title="entailment in many genres (MNLI)",
        texts=("premise", "hypothesis"),
        labels=("entailment", "neutral", "contradiction"),
        metrics=("accuracy",),
        primary="accuracy",
        hub=("nyu-mll/glue", "mnli"),
        folder="MNLI",
        file_texts=("sentence1", "sentence2"),
        file_label="gold_label",
        dev=("dev_matched", "dev_mismatched"),
    ),
    "qnli": Task(
        name="qnli",
        title="does the sentence answer the question (QNLI)",
        texts=("question", "sentence"),
        labels=("entailment", "not_entailment"),
        metrics=("accuracy",),
        primary="accuracy",
        hub=("nyu-mll/glue", "qnli"),
        folder="QNLI",
        file_texts=("question", "sentence"),
        file_label="label",
    ),
    "rte": Task(
        name="rte",
        title="textual entailment (RTE)",
        texts=("sentence1", "sentence2"),
        labels=("entailment", "not_entailment"),
        metrics=("accuracy",),
        primary="accuracy",
        hub=("nyu-mll/glue", "rte"),
        folder="RTE",
        file_texts=("sentence1", "sentence2"),
        file_label="label",
    ),
    "wnli": Task(
        name="wnli",
        title="what a pronoun stands for (WNLI)",
        texts=("sentence1", "sentence2"),
        labels=("not_entailment", "entailment"),
        metrics=("accuracy",),
        primary="accuracy",
        hub=("nyu-mll/glue", "wnli"),
        folder="WNLI",
        file_texts=("sentence1", "sentence2"),
        file_label="label",
    ),
    "squad": Task(
        name="squad",
        title="the answer to a question within a paragraph (SQuAD 1.1)",
        texts=("question", "context"),
        labels=(),
        metrics=("f1", "exact_match"),
        primary="f1",
        label_column="answers",
        hub=("rajpurkar/squad", "plain_text"),
        span=True,
    ),
    "squad_v2": Task(
        name="squad_v2",
        title="the answer to a question within a paragraph, or none (SQuAD 2.0)",
        texts=("question", "context"),
        labels=(),
        metrics=("f1", "exact_match", NO_ANSWER),
        primary="f1",
        label_column="answers",
        hub=("rajpurkar/squad_v2", "squad_v2"),
        span=True,
    ),
}


def find(name: str) -> Task:
    """The task of that name. Raises UserError with the nearest name."""
    if name not in TASKS:
        if name == CUSTOM:
            raise UserError("task 'custom' takes its classes from your own file: give the file and its columns")
        raise UserError(unknown("task", name, [*TASKS, CUSTOM]))
    return TASKS[name]
