"""What the tests of people's files share: a file read whole, and the words of one that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raykd.errors import UserError
from raykd.tasks.data import Columns, Data
from raykd.tasks.load import load
from raykd.tasks.read_options import ReadOptions

OWN = Columns(("text",), "label")


def write(path: Path, content: str | bytes) -> Path:
    """A file of exactly these bytes, or of this text in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, *, task: str = "custom", columns: Columns = OWN, **options: Any) -> Data:
    """The file as both train and dev, so that no row of it is held out."""
    return load(task, str(path), columns=columns, dev_file=str(path), options=ReadOptions(**options))


def rows(data: Data) -> list[tuple[str, str | float]]:
    """The first text and the label, by name, of every row."""
    labels = [label if data.task.regression else data.task.labels[int(label)] for label in data.train.labels]
    return [(texts[0], label) for texts, label in zip(data.train.texts, labels, strict=True)]


def refused(path: Path, **more: Any) -> str:
    """What is said of a file that is not read; of train and dev, which are one file here, once."""
    with pytest.raises(UserError) as caught:
        read(path, **more)
    return "\n".join(dict.fromkeys(caught.value.problems))
