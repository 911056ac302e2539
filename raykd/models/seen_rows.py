"""Which rows a saved model has seen: what it learnt from, what it was selected by, what its teacher learnt from.

A file beside the weights holds a hash of each row's texts (see raykd.tasks.row_hashes), so that any later command can
tell whether the rows that it scores are new to the model.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from raykd.errors import UserError

SEEN_ROWS = "raykd_rows.npz"


def _nothing() -> np.ndarray:
    return np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class SeenRows:
    """Hashes of rows, each [N] uint64, ascending and distinct.

    Attributes:
        learnt: The rows that the model was trained on.
        selected: The rows by which it was chosen among others.
        teacher: The rows that its teacher was trained on, as far as that is known.
    """

    learnt: np.ndarray = field(default_factory=_nothing)
    selected: np.ndarray = field(default_factory=_nothing)
    teacher: np.ndarray = field(default_factory=_nothing)

    def contains(self, hashes: np.ndarray) -> np.ndarray:
        """[N] bool: which of the rows the model or its teacher has seen."""
        return np.isin(hashes, np.concatenate([self.learnt, self.selected, self.teacher]))

    def union(self, other: SeenRows) -> SeenRows:
        """What either has seen."""
        return SeenRows(
            np.concatenate([self.learnt, other.learnt]),
            np.concatenate([self.selected, other.selected]),
            np.concatenate([self.teacher, other.teacher]),
        )

    def to_bytes(self) -> bytes:
        """The content of the file."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, learnt=np.unique(self.learnt), selected=np.unique(self.selected), teacher=np.unique(self.teacher)
        )
        return buffer.getvalue()


def read_seen_rows(folder: Path) -> SeenRows | None:
    """What the model in `folder` has seen; None where its folder does not say.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / SEEN_ROWS
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return SeenRows(arrays["learnt"], arrays["selected"], arrays["teacher"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"'{path}' is damaged: {error}; remove it, and what '{folder.name}' has seen is not known"
        ) from error
