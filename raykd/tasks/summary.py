"""What was read, for a person: rows, classes or scores of each split, and texts that come again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from raykd.tasks.bad_rows import rows_text
from raykd.tasks.data import Data, Split
from raykd.tasks.task import Task

SHOWN = 10  # classes named with their rows


def data_lines(data: Data) -> list[str]:
    """What was read, in a line for the source and one for each note."""
    dev = ", ".join(f"{len(split):,} {name}" for name, split in data.dev.items())
    return [f"{data.source}; {len(data.train):,} train, {dev}", *data.notes]


def summary(train: Split, dev: Mapping[str, Split], task: Task) -> tuple[str, ...]:
    """What the splits hold, for a person.

    Args:
        train: the rows to learn from.
        dev: the other splits by name.
        task: class names, or that labels are numbers or spans.

    Returns:
        A line a split with rows and classes or scores; a line for texts that come again within train or across.
    """
    parts = {"train": train, **dev}
    notes = [f"{name}: {_described(split, task)}" for name, split in parts.items()]
    return (*notes, *_repeated(train, dev))


def _described(split: Split, task: Task) -> str:
    if task.span:
        unanswered = sum(not label for label in split.labels)
        return f"{len(split):,} questions" + (f", {unanswered:,} without an answer" if unanswered else "")
    if task.regression:
        mean = sum(split.labels) / len(split)
        return f"{rows_text(len(split))}, scores from {min(split.labels):g} to {max(split.labels):g}, mean {mean:.4g}"
    counts = Counter(split.labels)
    shown = [f"{task.labels[int(label)]} {count:,}" for label, count in counts.most_common(SHOWN)]
    absent = [name for index, name in enumerate(task.labels) if index not in counts]
    more = f", {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
    lacking = f"; no row of {', '.join(absent[:5])}{', ...' if len(absent) > 5 else ''}" if absent else ""
    return f"{rows_text(len(split))}: {', '.join(shown)}{more}{lacking}"


def _repeated(train: Split, dev: Mapping[str, Split]) -> list[str]:
    """Texts are compared by their hashes: a collision in a million rows would miscount by one."""
    notes = []
    answers: dict[int, object] = {}
    again, against = _count(train, answers, add=True)
    if again:
        other = f", {against:,} of them with another label" if against else ""
        notes.append(f"train: the text of {rows_text(again)} stands in an earlier one too{other}")
    for name, split in dev.items():
        again, against = _count(split, answers, add=False)
        if again:
            other = f", {against:,} of them with another label there" if against else ""
            notes.append(f"{name}: the text of {again:,} of {rows_text(len(split))} stands in train too{other}")
    return notes


def _count(split: Split, answers: dict[int, object], *, add: bool) -> tuple[int, int]:
    """How many rows have a text that is among `answers`, and how many of them another answer; add: the others go in."""
    again = against = 0
    for texts, answer in zip(split.texts, split.answers or split.labels, strict=True):
        key = hash(texts)
        if key not in answers:
            if add:
                answers[key] = answer
            continue
        again += 1
        against += answers[key] != answer
    return again, against
