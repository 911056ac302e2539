"""Sound files that generated commands start from: a tiny teacher that knows its task, and data in every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from raykd.methods.kd import METHOD
from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.search.choose import choose
from raykd.search.space_keep import keep
from raykd.search.spec import SweepSpec
from raykd.train.config import TaskSpec, Training

WORDS = [f"w{number}" for number in range(40)]
LABELS = ("no", "yes")
TASK = TaskSpec(name="custom", labels=LABELS, metrics=("accuracy", "f1_macro"), primary="accuracy")
OWN = ("--task", "custom", "--text-columns", "text", "--label-column", "label")
ROWS = ("--data", "../base/rows.csv", *OWN)
TEACHER = ("--teacher", "../base/teacher")


def lay_out(folder: Path) -> None:
    """Everything that cases find under ``../base``."""
    folder.mkdir(parents=True)
    texts = [f"w{i % 7} w{i % 5} w{i % 11}" for i in range(48)]
    labels = _teacher(folder / "teacher", texts)
    (folder / "rows.csv").write_text("text,label\n" + "".join(map("{},{}\n".format, texts, labels)))
    (folder / "texts.txt").write_text("w1 w2\nw3 w4 w5\n")
    (folder / "squad.json").write_text(json.dumps(squad()))
    _sweep(folder)


def squad() -> dict[str, Any]:
    """Four questions on two contexts, in SQuAD's form."""
    return {
        "version": "1.1",
        "data": [
            {
                "title": f"t{part}",
                "paragraphs": [
                    {
                        "context": f"w{part} w2 w3 w4",
                        "qas": [
                            {"id": f"{part}{n}", "question": f"w{n}", "answers": [{"answer_start": 3, "text": "w2"}]}
                            for n in range(2)
                        ],
                    }
                ],
            }
            for part in range(2)
        ],
    }


def _teacher(folder: Path, texts: list[str]) -> list[str]:
    """A classifier with random weights, and the labels that it gives to the texts: of those it is a good teacher."""
    tokenizer = word_tokenizer(WORDS)
    model: Any = scratch_classifier(tokenizer, Head(LABELS), layers=2, hidden=16, heads=2, intermediate=32, seed=1)
    with torch.no_grad():
        coded = tokenizer(texts, padding=True, return_tensors="pt")
        logits = model(**coded).logits
        margin = logits[:, 1] - logits[:, 0]
        model.classifier.bias[1] -= margin.median()
    card = {"source": "random", "spec": {"task": TASK.model_dump(), "training": Training().model_dump()}}
    save_student(model, tokenizer, folder, card=card)
    return [LABELS[int(gap > margin.median())] for gap in margin]


def _sweep(folder: Path) -> None:
    """The two files that a sweep is resumed from."""
    training = Training()
    spec = SweepSpec(
        name="s",
        uid="0" * 32,
        task=TASK,
        source="file rows.csv",
        fingerprint="0" * 16,
        train="home/cache/a",
        dev={"dev": "home/cache/b"},
        teacher="../base/teacher",
        teacher_name="base/teacher",
        teacher_score=0.9,
        teacher_parameters=10_000,
        student="cut:1",
        origin="../base/teacher",
        student_parameters=8_000,
        corpus=None,
        space="kd",
        method=METHOD.name,
        trials=3,
        training=training,
        concurrency=1,
        tracking_uri="sqlite:///home/mlflow.db",
    )
    spec.save(folder / "sweep")
    keep(choose("kd", None, sample=False, pinned={}), folder / "sweep")
