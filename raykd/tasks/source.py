"""Where a task's data come from, in the words of the command line."""

from __future__ import annotations

from dataclasses import dataclass, replace

from raykd.errors import UserError
from raykd.tasks.load import Columns, Data, load
from raykd.tasks.read_options import DEFAULT, ReadOptions


@dataclass(frozen=True)
class Source:
    """data: "hub", "sample", a folder or a file (see `load`); the columns are for the user's own files.

    max_train_samples, max_eval_samples: so many rows, drawn evenly from the classes, the same ones at every seed.
    doc_stride: tokens that consecutive windows of a context share, where spans are asked for. reading: how files are
    written (encoding, separator, quoting), what becomes of bad rows, what labels are. split_seed: decides which rows
    are held out where there is no dev set, which select, and which are drawn. task_name: under which models,
    experiments and folders go; by default they go by the data.
    """

    data: str = "hub"
    dev_file: str | None = None
    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    max_train_samples: int | None = None
    max_eval_samples: int | None = None
    doc_stride: int | None = None
    reading: ReadOptions = DEFAULT
    split_seed: int = 0
    task_name: str | None = None

    @property
    def paths(self) -> dict[str, str | None]:
        """What it names of this machine, by what it is; a path need not be there."""
        return {"data": None if self.data in ("hub", "sample") else self.data, "dev file": self.dev_file}

    def load(self, task: str) -> Data:
        """The task's data; UserError with everything that is wrong with it."""
        found = load(
            task,
            self.data,
            columns=Columns(self.text_columns, self.label_column),
            dev_file=self.dev_file,
            max_train=self.max_train_samples,
            max_dev=self.max_eval_samples,
            split_seed=self.split_seed,
            name=self.task_name,
            options=self.reading,
        )
        if self.doc_stride is not None and not found.task.span:
            raise UserError(f"doc-stride is for questions about a context; task '{task}' has none")
        return replace(found, stride=self.doc_stride)
