"""SQuAD as rows: question, context, and answers with their texts and where they start, as the hub has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from raykd.tasks.asked import Question, split_of
from raykd.tasks.bad_rows import BadRow, settle
from raykd.tasks.columns import Wanted
from raykd.tasks.data import Answer, Split
from raykd.tasks.labelled import plain_text
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.read_table import read_table
from raykd.tasks.task import Task

COLUMNS = ("question", "context", "answers")
WANTED = Wanted(COLUMNS[:2], COLUMNS[2], nested=frozenset({COLUMNS[2]}))


def read(task: Task, path: Path, options: ReadOptions) -> tuple[Split, tuple[str, ...]]:
    """The questions in a file of rows, or in a folder that datasets saved.

    Args:
        task: squad or squad_v2.
        path: the file or folder.
        options: encoding, and whether rows that are no questions are dropped.

    Returns:
        The split, and notes on what was dropped or moved.

    Raises:
        UserError: absent columns, rows that are no questions, and what `split_of` refuses.
    """
    table = read_table(path, WANTED, options)
    bad = list(table.bad)
    questions = []
    for number, *cells in zip(table.numbers, *(table.cells[name] for name in COLUMNS), strict=True):
        result = _question(*cells)
        if isinstance(result, str):
            row = dict(zip(COLUMNS, cells, strict=True)) if options.drop_bad_rows else None
            bad.append(BadRow(number, result, row))
        else:
            questions.append(result)
    dropped = settle(table.where, table.unit, table.total, bad, options)
    part, notes = split_of(task, table.where, questions)
    return part, (*table.notes, *dropped, *notes)


def has_rows(content: Any) -> bool:
    """Whether JSON is one row of this form; SQuAD's own begins with an object that has 'data'."""
    return isinstance(content, dict) and "data" not in content and {"question", "context"} <= set(content)


def is_row(line: str) -> bool:
    """Whether a line of JSON is such a row."""
    try:
        return has_rows(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _question(question: Any, context: Any, answers: Any) -> Question | str:
    """The question of a row, or why it is none."""
    texts = []
    for name, cell in (("question", question), ("context", context)):
        text, reason = plain_text(cell)
        if reason is not None:
            return f"{reason} in column '{name}'"
        texts.append(text)
    result = _answers(answers)
    return (
        "answers that are no texts with an answer_start each"
        if result is None
        else Question(texts[0], texts[1], result)
    )


def _answers(cell: Any) -> list[Answer] | None:
    """Where each answer starts and its text, of two lists or of a list of pairs; None: neither."""
    if cell is None:
        return []
    if isinstance(cell, dict) and {"text", "answer_start"} <= set(cell):
        starts, texts = cell["answer_start"], cell["text"]
    elif isinstance(cell, list) and all(isinstance(part, dict) for part in cell):
        starts, texts = [part.get("answer_start") for part in cell], [part.get("text") for part in cell]
    else:
        return None
    if not isinstance(starts, list) or not isinstance(texts, list) or len(starts) != len(texts):
        return None
    sound = all(type(start) is int for start in starts) and all(isinstance(text, str) for text in texts)
    return list(zip(starts, texts, strict=True)) if sound else None
