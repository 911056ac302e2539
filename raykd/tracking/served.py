"""The champion as MLflow serves it. Saved with the model as code, so it must import nothing of raykd.

Input: a list of sentences, or a table (or list of records) with one text column, or two for pairs, in the student's
own order. Output: one record a row with `label` and `score`, and every class's probability under `probabilities`; for
a regression, `score` is the predicted number and `label` is empty. For spans the columns are question and context, and
a record has the `answer` ("" for none) and its probability as `score`.
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
        from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoTokenizer

        folder = context.artifacts["student"]
        about = json.loads((Path(folder) / "raykd.json").read_text(encoding="utf-8"))
        self.max_length = about["spec"]["training"]["max_length"]
        self.task = about["spec"]["task"]
        self.labels = self.task["labels"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self.span = self.task.get("kind") == "span"
        kind = AutoModelForQuestionAnswering if self.span else AutoModelForSequenceClassification
        self.model = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
        ).eval()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Answer every row of `model_input`."""
        import torch

        table = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(list(model_input))
        columns = [table[name].astype(str).tolist() for name in table.columns[:2]]
        if self.span:
            return [self._span(question, context) for question, context in zip(*columns, strict=True)]
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


mlflow.models.set_model(Student())
