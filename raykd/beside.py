"""Texts beside the task's own rows: more rows to learn from, and a corpus to retrieve neighbours from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from raykd.augment.build import Augmentation, augmented
from raykd.errors import UserError, together
from raykd.tasks.data import Data, Split
from raykd.tasks.read_options import DEFAULT, ReadOptions
from raykd.tasks.task import Task
from raykd.tasks.texts import Texts, read_texts
from raykd.workspace import Workspace


@dataclass(frozen=True)
class Beside:
    """What a user gives beside the task's rows; nothing by default.

    corpus: texts that a method may retrieve from (minimax_knn). unlabelled: a transfer set, learned by the teacher's
    answers alone. Both are files of lines, the texts of a pair separated by a tab, tables with the task's text columns,
    or folders of such. augmentation: how the training rows are varied. reading: how those files are written.
    """

    corpus: str | None = None
    unlabelled: str | None = None
    augmentation: Augmentation | None = None
    reading: ReadOptions = DEFAULT

    @property
    def paths(self) -> dict[str, str | None]:
        """What it names of this machine, by what it is; a name of the hub is no path."""
        varied = self.augmentation
        return {
            "corpus": self.corpus,
            "unlabelled texts": self.unlabelled,
            "language model": varied.masked_lm if varied else None,
            "word vectors": varied.vectors if varied else None,
        }

    def read(self, task: Task) -> Found:
        """The texts; UserError with all that is wrong with them. Questions about a context take none of these."""
        flags = {"corpus": self.corpus, "unlabelled": self.unlabelled, "augmentation": self.augmentation}
        used = [name for name, value in flags.items() if value is not None]
        if task.span and used:
            raise UserError(f"task '{task.name}' takes no {', '.join(used)}: answers lie in its texts")

        def texts(place: str | None) -> Texts | None:
            return None if place is None else read_texts(place, task.texts, options=self.reading)

        corpus, unlabelled = together([lambda: texts(self.corpus), lambda: texts(self.unlabelled)])
        notes = [note for part in (corpus, unlabelled) if part is not None for note in part.notes]
        return Found(_split(corpus, task), _split(unlabelled, task), self.augmentation, tuple(notes))


def _split(texts: Texts | None, task: Task) -> Split | None:
    if texts is None:
        return None
    return Split(texts.rows, (float("nan") if task.regression else -100,) * len(texts.rows))


@dataclass(frozen=True)
class Found:
    """What was read of it: rows without labels (class -100, number NaN)."""

    corpus: Split | None
    unlabelled: Split | None
    augmentation: Augmentation | None
    notes: tuple[str, ...] = ()

    def extend(self, data: Data, encoder: Path, workspace: Workspace, say: Callable[[str], None]) -> Data:
        """`data` with all the rows that students shall see in its training split; encoder: the pretrained one."""
        for note in self.notes:
            say(f"data: {note}")
        train = data.train
        if self.augmentation is not None:
            train = augmented(train, self.augmentation, encoder, workspace.cache / "augmented", say)
        if self.unlabelled is not None:
            say(f"data: {len(self.unlabelled):,} rows without a label, learned by the teacher's answers alone")
            train = Split(train.texts + self.unlabelled.texts, train.labels + self.unlabelled.labels)
        return replace(data, train=train)
