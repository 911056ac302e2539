"""The built-in sample (to be written)."""

from __future__ import annotations

from raykd.tasks.data import Data
from raykd.tasks.task import Task


def read(task: Task, seed: int) -> Data:
    raise NotImplementedError
