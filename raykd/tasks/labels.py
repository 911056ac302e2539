"""Cells to splits: text rows checked, labels mapped to class indices or numbers, classes inferred where unknown."""

from __future__ import annotations

import math
from typing import Any

from raykd.errors import UserError
from raykd.tasks.data import Split
from raykd.tasks.table import Table
from raykd.tasks.task import CUSTOM, Task

MANY = 10  # so many distinct labels with a fraction among them are a score, not classes


def split(table: Table, task: Task, texts: tuple[str, ...], label: str) -> tuple[Split, tuple[str, ...]]:
    """The split a table holds, and notes. Rows with an empty text are dropped and counted.

    Raises UserError for labels that are no class of the task (or no number), and when no row remains.
    """
    rows: list[tuple[str, ...]] = []
    labels: list[int | float] = []
    strange: dict[str, None] = {}
    empty = 0
    index = {name: i for i, name in enumerate(task.labels)} | {str(i): i for i in range(len(task.labels))}
    if task.name == CUSTOM:  # its class names may be numbers: "1" is then the class "1", not the class of index 1
        index = {name: i for i, name in enumerate(task.labels)}
    for *row, value in zip(*(table.cells[name] for name in texts), table.cells[label], strict=True):
        cleaned = tuple("" if cell is None else str(cell) for cell in row)
        if not all(text.strip() for text in cleaned):
            empty += 1
            continue
        number = _number(value) if task.regression else index.get(plain(value))
        if number is None:
            strange[plain(value)] = None
            continue
        rows.append(cleaned)
        labels.append(number)
    if strange:
        shown = ", ".join(f"'{name}'" for name in list(strange)[:5]) + (", ..." if len(strange) > 5 else "")
        values = "value" if len(strange) == 1 else "values"
        allowed = "numbers" if task.regression else ", ".join(index)
        raise UserError(
            f"{table.where}: {len(strange)} unknown {values} in column '{label}': {shown} (allowed: {allowed})"
        )
    if not rows:
        raise UserError(f"{table.where}: no row is left, all {empty} have an empty text")
    dropped = (f"{empty:,} {'row' if empty == 1 else 'rows'} of {table.where} with an empty text dropped",)
    return Split(tuple(rows), tuple(labels)), dropped if empty else ()


def infer(table: Table, texts: tuple[str, ...], label: str) -> tuple[Task, str]:
    """The custom task that a train file implies, and a note that says what was inferred.

    A real number if some label has a fraction and there are at least 10 distinct ones; classes otherwise, sorted.
    Raises UserError when nearly every row has a label of its own: that is not a label column.
    """
    values = {plain(value) for value in table.cells[label]} - {""}
    numbers = {name: _number(name) for name in values}
    numeric = all(number is not None for number in numbers.values())
    fraction = any(number is not None and not number.is_integer() for number in numbers.values())
    if numeric and fraction and len(values) >= MANY:
        note = f"column '{label}' holds {len(values)} distinct numbers: taken as a score, not as classes"
        return _custom(texts, label, (), ("pearson", "spearman")), note
    if len(values) > max(MANY, len(table.cells[label]) // 2):
        raise UserError(
            f"{table.where}: column '{label}' has {len(values):,} distinct values in {len(table.cells[label]):,} rows:"
            " is it the label?"
        )
    names = sorted(values, key=lambda name: (numbers[name], name)) if numeric else sorted(values)
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    note = f"column '{label}' holds {len(names)} classes: {shown}"
    return _custom(texts, label, tuple(names), ("accuracy", "f1_macro")), note


def varied(where: str, part: Split, task: Task) -> None:
    """Raises UserError where there is nothing to learn: every label is the same, or no question has an answer."""
    if task.kind == "span":
        if not any(part.labels):
            raise UserError(f"{where}: none of the {len(part):,} questions has an answer")
        return
    if len(set(part.labels)) < 2:
        only = part.labels[0] if task.regression else f"class '{task.labels[int(part.labels[0])]}'"
        raise UserError(f"{where}: all {len(part):,} rows have the same label, {only}")


def plain(value: Any) -> str:
    """A label cell as text: 1, 1.0 and True (from typed files) and "1" are the same label; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value).strip()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _custom(texts: tuple[str, ...], label: str, labels: tuple[str, ...], metrics: tuple[str, ...]) -> Task:
    return Task(CUSTOM, "your own data", texts, labels, metrics, metrics[0], label_column=label)
