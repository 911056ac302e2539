"""The champion as MLflow serves it. Saved with the model as code, so it must import nothing of raykd.

Input: texts in the columns of the model's signature, one or, for pairs, two, in any of these forms:

- a table (pandas) with columns of those names, of which others are left aside, or without names in their order;
- records, ``[{"premise": "...", "hypothesis": "..."}, ...]``, or a column each, ``{"premise": ["...", ...], ...}``;
- rows in the order of the columns, ``[["...", "..."], ...]``; for one column a list of texts, or one text.

A server takes records, columns and rows as JSON under ``inputs``, and CSV with a header. Anything else is refused:
numbers, missing texts, blank texts, other columns.

Output: one record a row with `label` and `score`, and every class's probability under `probabilities`; for a
regression, `score` is the predicted number and `label` is empty. For spans the columns are question and context, and a
record has the `answer` ("" for none) and its probability as `score`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

SHOWN = 5  # bad cells that are named


class Student(PythonModel):
    """Loads the student's folder once and answers tables of text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load tokenizer and weights from the logged folder."""
        from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoTokenizer

        folder = context.artifacts["student"]
        about = json.loads((Path(folder) / "raykd.json").read_text(encoding="utf-8"))
        self.max_length = about["spec"]["training"]["max_length"]
        self.task = about["spec"]["task"]
        self.labels = self.task["labels"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self.span = self.task.get("kind") == "span"
        self.names = tuple(self.task.get("texts") or (("question", "context") if self.span else ()))
        kind = AutoModelForQuestionAnswering if self.span else AutoModelForSequenceClassification
        self.model = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
        ).eval()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Answer every row of `model_input`. Raises MlflowException, which a server answers with status 400, for
        anything that is not texts in the columns of the signature."""
        import torch

        columns = columns_of(model_input, self.names)
        if self.span:
            return [self._span(question, context) for question, context in zip(*columns, strict=True)]
        answers = []
        for start in range(0, len(columns[0]), 64):
            texts = [column[start : start + 64] for column in columns]
            batch = self.tokenizer(
                *texts, truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
            )
            accepted = {key: value for key, value in batch.items() if key in self.tokenizer.model_input_names}
            with torch.no_grad():
                logits = self.model(**accepted).logits
            answers += self._answers(logits.double().numpy())
        return answers

    def _span(self, question: str, context: str) -> dict[str, object]:
        """The best span of the context in any of its windows, as raykd.tasks.spans finds it."""
        import torch

        share = self.max_length // 3  # of the question at most; as much is shared by consecutive windows by default
        asked = self.tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        coded = self.tokenizer(
            question[: asked[share - 1][1]] if len(asked) > share else question,
            context,
            truncation="only_second",
            max_length=self.max_length,
            stride=share if self.task.get("stride") is None else self.task["stride"],
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            found = self.model(**{key: coded[key] for key in self.tokenizer.model_input_names})
        best, nothing = ("", 0.0, -np.inf), ("", 0.0, np.inf)  # text, probability, score
        for window, encoding in enumerate(coded.encodings):
            real = coded["attention_mask"][window].numpy() == 1
            start, end = (
                np.where(real, logits[window].double().numpy(), -np.inf)
                for logits in (found.start_logits, found.end_logits)
            )
            chance = [np.exp(logits - np.logaddexp.reduce(logits)) for logits in (start, end)]
            if start[0] + end[0] < nothing[2]:
                nothing = ("", float(chance[0][0] * chance[1][0]), float(start[0] + end[0]))
            inside = np.array([side == 1 for side in encoding.sequence_ids])
            sums = np.where(inside, start, -np.inf)[:, None] + np.where(inside, end, -np.inf)[None, :]
            places = np.arange(len(inside))
            further = places[None, :] - places[:, None]
            sums = np.where((further >= 0) & (further < 30), sums, -np.inf)
            first, last = np.unravel_index(sums.argmax(), sums.shape)
            if sums[first, last] > best[2]:
                text = context[encoding.offsets[first][0] : encoding.offsets[last][1]].strip()
                best = (text, float(chance[0][first] * chance[1][last]), float(sums[first, last]))
        may_be_empty = "no_answer_accuracy" in self.task["metrics"]
        text, share_of_it, _ = nothing if best[2] == -np.inf or (may_be_empty and nothing[2] > best[2]) else best
        return {"answer": text, "score": share_of_it}

    def _answers(self, logits: np.ndarray) -> list[dict[str, object]]:
        if not self.labels:
            return [{"label": "", "score": float(row[0])} for row in logits]
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = []
        for row in shifted / shifted.sum(axis=1, keepdims=True):
            best = int(row.argmax())
            probabilities = {name: float(p) for name, p in zip(self.labels, row, strict=True)}
            found.append({"label": self.labels[best], "score": float(row[best]), "probabilities": probabilities})
        return found


def columns_of(given: Any, names: tuple[str, ...]) -> list[list[str]]:
    """The texts of what a model is asked.

    Args:
        given: In any of the forms that the top of this file lists.
        names: The columns; () where they are not known, then there may be one or two of any name.

    Returns:
        A list of texts for each column, in their order.

    Raises:
        MlflowException: It is none of these forms, holds no rows, lacks a column, or holds what is no text.
    """
    if isinstance(given, (pd.Series, np.ndarray)):
        given = given.tolist()
    if isinstance(given, pd.DataFrame):
        if not given.columns.is_unique:
            _refuse(f"two columns of one name among {_listed(given.columns)}", names)
        if all(isinstance(name, str) for name in given.columns):
            columns = _named({name: given[name].tolist() for name in given.columns}, names)
        else:
            columns = _rows(given.to_numpy(dtype=object).tolist(), names)
    elif isinstance(given, dict):
        lists = {name: [cell] if isinstance(cell, str) else _list(cell, name, names) for name, cell in given.items()}
        columns = _named(lists, names)
    elif isinstance(given, str) or (isinstance(given, (list, tuple)) and any(isinstance(row, str) for row in given)):
        columns = _rows([[text] for text in ([given] if isinstance(given, str) else given)], names)
    elif isinstance(given, (list, tuple)) and given and all(isinstance(row, dict) for row in given):
        lacking = [number for number, row in enumerate(given) if any(name not in row for name in names)]
        if lacking:
            _refuse(f"row {lacking[0]} has the columns {_listed(given[lacking[0]])}", names)
        columns = _named({name: [row.get(name) for row in given] for name in given[0]}, names)
    elif isinstance(given, (list, tuple)):
        columns = _rows([_list(row, f"row {number}", names) for number, row in enumerate(given)], names)
    else:
        _refuse(f"{given!r:.60} is no table, no records and no texts", names)
    if len({len(column) for column in columns}) > 1:
        _refuse(f"columns of {', '.join(str(len(column)) for column in columns)} rows", names)
    if not columns or not columns[0]:
        _refuse("there are no rows", names)
    _check_texts(columns, names)
    return [[str(cell) for cell in column] for column in columns]


def _list(cell: Any, where: str, names: tuple[str, ...]) -> list[Any]:
    if isinstance(cell, (pd.Series, np.ndarray)):
        cell = cell.tolist()
    if not isinstance(cell, (list, tuple)):
        _refuse(f"{where}: {_kind(cell)}", names)
    return list(cell)


def _named(columns: dict[str, list[Any]], names: tuple[str, ...]) -> list[list[Any]]:
    if missing := [name for name in names if name not in columns]:
        _refuse(f"missing columns: {_listed(missing)}; given: {_listed(columns) or 'none'}", names)
    if not names and len(columns) not in (1, 2):
        _refuse(f"{len(columns)} columns, {_listed(columns)}", names)
    return [columns[name] for name in names or columns]


def _rows(rows: list[list[Any]], names: tuple[str, ...]) -> list[list[Any]]:
    allowed = [len(names)] if names else [1, 2]
    wrong = [number for number, row in enumerate(rows) if len(row) not in allowed or len(row) != len(rows[0])]
    if wrong:
        _refuse(f"{len(wrong)} of {len(rows)} rows have another number of texts, as row {wrong[0]} has "
                f"{len(rows[wrong[0]])}", names)  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]


def _check_texts(columns: list[list[Any]], names: tuple[str, ...]) -> None:
    bad = []
    for place, column in enumerate(columns):
        where = f"column '{names[place]}'" if names else f"column {place}"
        for number, cell in enumerate(column):
            if not isinstance(cell, str) or not cell.strip():
                bad.append(f"row {number}, {where}: {_kind(cell)}")
    if bad:
        more = f" (and {len(bad) - SHOWN} more)" if len(bad) > SHOWN else ""
        _refuse("; ".join(bad[:SHOWN]) + more, names)


def _kind(cell: Any) -> str:
    """What a cell is that is no text, for a person."""
    if isinstance(cell, str):
        return "a blank text"
    if cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return "no text is there"
    if isinstance(cell, bytes):
        return "bytes, not a text"
    if isinstance(cell, (bool, np.bool_)):
        return f"{cell!r} is no text"
    return f"{cell!r:.40} is a number, not a text" if isinstance(cell, (int, float)) else f"{cell!r:.40} is no text"


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _refuse(problem: str, names: tuple[str, ...]) -> NoReturn:
    reads = f"{len(names)} text(s) a row, in the columns {_listed(names)}" if names else "1 or 2 texts a row"
    raise MlflowException(
        f"the input does not fit the model: {problem}. It reads {reads}: give a table or records with them, or lists "
        "of texts in this order",
        error_code=INVALID_PARAMETER_VALUE,
    )


mlflow.models.set_model(Student())
