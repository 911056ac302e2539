"""The champion as MLflow serves it. Saved with the model as code, so it must import nothing of raykd.

Input: a list of sentences, or a table (or list of records) with one text column, or two for pairs, in the student's
own order. Output: one record a row with `label` and `score`, and every class's probability under `probabilities`; for
a regression, `score` is the predicted number and `label` is empty.
"""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class Student(PythonModel):
    """Loads the student's folder once and answers tables of text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load tokenizer and weights from the logged folder."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = context.artifacts["student"]
        about = json.loads((Path(folder) / "raykd.json").read_text())
        self.max_length = about["spec"]["training"]["max_length"]
        self.labels = about["spec"]["task"]["labels"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Answer every row of `model_input`."""
        import torch

        table = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(list(model_input))
        columns = [table[name].astype(str).tolist() for name in table.columns[:2]]
        answers = []
        for start in range(0, len(table), 64):
            texts = [column[start : start + 64] for column in columns]
            batch = self.tokenizer(
                *texts, truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
            )
            accepted = {key: value for key, value in batch.items() if key in self.tokenizer.model_input_names}
            with torch.no_grad():
                logits = self.model(**accepted).logits
            answers += self._answers(logits.double().numpy())
        return answers

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


mlflow.models.set_model(Student())
