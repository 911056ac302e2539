"""Labels to class indices or numbers, and all rows of a file that cannot be used refused or left out together."""

from __future__ import annotations

from collections import Counter

from raykd.errors import UserError
from raykd.tasks.bad_rows import BadRow, numbers, rows_text, settle
from raykd.tasks.data import Split
from raykd.tasks.labelled import Labelled
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.spellings import (
    DOUBTFUL,
    WHOLE,
    exact,
    fold,
    is_missing,
    lookup,
    number,
)
from raykd.tasks.task import CUSTOM, Task

SHOWN = 20  # names of classes in a message


def split(rows: Labelled, task: Task, label: str, options: ReadOptions) -> tuple[Split, tuple[str, ...]]:
    """The split that a file's rows make. Rows with an empty text are left out and counted.

    Args:
        rows: texts and labels as the file has them.
        task: its classes, or that a label is a number.
        label: the column of labels, for messages.
        options: whether rows that cannot be used are dropped.

    Returns:
        The split, and notes on what was left out and on labels in another spelling than the class's name.

    Raises:
        UserError: one sentence for all rows that have no label, one that is no class of the task or no number, or that
            cannot be used for another reason, unless they are dropped; no row remains.
    """
    if task.regression and rows.kinds["true or false"]:
        raise UserError(
            f"{rows.where}: column '{label}' holds true and false, which are no numbers: leave out --labels"
        )
    lookup_label = _Lookup(task)
    texts, labels, bad = [], [], list(rows.bad)
    values = {name: lookup_label(name) for name in dict.fromkeys(rows.labels)}
    for index, name in enumerate(rows.labels):
        value = values[name]
        if value is None:
            bad.append(_bad(rows, index, label, task, options))
        else:
            texts.append(rows.texts[index])
            labels.append(value)
    notes = list(rows.notes)
    if rows.empty and not options.drop_bad_rows:
        lines = numbers(rows.unit, rows.empty)
        if len(rows.empty) == rows.total:
            raise UserError(none_left(rows))
        notes.append(f"{rows_text(len(rows.empty))} of {rows.where} with an empty text dropped ({lines})")
    notes += settle(rows.where, rows.unit, rows.total, bad, options)
    if not texts:
        raise UserError(none_left(rows))
    if lookup_label.spelled:
        counts = Counter(rows.labels)
        spelled = list(lookup_label.spelled.items())
        shown = "; ".join(f"'{name}' ({counts[name]:,}) as {known_as}" for name, known_as in spelled[:5])
        notes.append(f"labels of {rows.where} in another spelling: {shown}{'; ...' if len(spelled) > 5 else ''}")
    return Split(tuple(texts), tuple(labels)), tuple(notes)


def varied(where: str, part: Split, task: Task) -> None:
    """Raises UserError where there is nothing to learn: every label is the same, or no question has an answer."""
    if task.kind == "span":
        if not any(part.labels):
            raise UserError(f"{where}: none of the {len(part):,} questions has an answer")
        return
    if len(set(part.labels)) < 2:
        only = part.labels[0] if task.regression else f"class '{task.labels[int(part.labels[0])]}'"
        raise UserError(f"{where}: all {len(part):,} rows have the same label, {only}")


class _Lookup:
    """The class index, or the number, of a label; `spelled` says which were found by number or spelling alone."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.spelled: dict[str, str] = {}
        # The class names of one's own task may be numbers: "1" is then the class "1", not the class of index 1.
        self._index = lookup(task.labels, numbered=task.name != CUSTOM)

    def __call__(self, name: str) -> int | float | None:
        if self.task.regression:
            return number(name)
        for key in (name, exact(name), ("folded", fold(name))):
            if key is not None and key in self._index:
                index = self._index[key]
                if key is not name and WHOLE.fullmatch(name) is None:
                    self.spelled[name] = self.task.labels[index]
                return index
        return None


def none_left(rows: Labelled) -> str:
    why = f", all {rows.total:,} have an empty text" if len(rows.empty) == rows.total else f" of {rows.total:,}"
    return f"{rows.where}: no row is left{why}"


def _bad(rows: Labelled, index: int, label: str, task: Task, options: ReadOptions) -> BadRow:
    name, line = rows.labels[index], rows.numbers[index]
    row = {"texts": rows.texts[index], label: name} if options.drop_bad_rows else None
    if is_missing(name) or (fold(name) in DOUBTFUL and not task.regression):
        return BadRow(line, f"no label in column '{label}'", row, name or None)
    if task.regression:
        return BadRow(line, f"a label that is no finite number in column '{label}'", row, name)
    allowed = list(task.labels)
    if task.name != CUSTOM:
        allowed += map(str, range(len(allowed)))
    shown = ", ".join(allowed[:SHOWN]) + (", ..." if len(allowed) > SHOWN else "")
    return BadRow(line, f"an unknown value in column '{label}' (allowed: {shown})", row, name)
