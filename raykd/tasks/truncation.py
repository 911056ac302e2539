"""What tokenising has cut off, for a person."""

from __future__ import annotations

from collections.abc import Mapping

from raykd.tasks.encoded import Encoded
from raykd.tasks.questions import about
from raykd.tasks.task import Task


def cut_lines(splits: Mapping[str, Encoded], task: Task, length: int) -> list[str]:
    """What was cut to `length` tokens, or how contexts were divided into windows: a line a split."""
    lines = []
    for name, split in splits.items():
        if task.span:
            lines.append(f"{name} at {length} tokens: {about(split)}")
        elif split.truncated:
            lines.append(f"{split.truncated:,} of {len(split):,} {name} rows cut to {length} tokens")
    return lines
