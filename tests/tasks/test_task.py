"""The nine GLUE tasks and SQuAD as values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from raykd.errors import UserError
from raykd.tasks import spans
from raykd.tasks.metrics import score
from raykd.tasks.task import TASKS, find

GLUE = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"]


def test_all_nine_are_there_and_agree_with_themselves() -> None:
    assert list(TASKS) == [*GLUE, "squad", "squad_v2"]
    for name in GLUE:
        task = TASKS[name]
        assert task.name == name == task.hub[1]
        assert task.primary in task.metrics
        assert len(task.texts) == len(task.file_texts)
        assert task.regression is (name == "stsb")
        assert task.kind == ("number" if name == "stsb" else "classes")
        logits = [[0.0] * task.outputs] * 2
        assert set(score(task, np.array(logits), [0, 1])) == set(task.metrics)


def test_squad_asks_for_spans() -> None:
    for name in ("squad", "squad_v2"):
        task = find(name)
        assert (task.name, task.kind, task.labels, task.outputs, task.regression) == (name, "span", (), 2, False)
        assert set(task.metrics) <= set(spans.METRICS)
        assert task.primary == "f1"


def test_official_label_order() -> None:
    assert find("rte").labels == ("entailment", "not_entailment")
    assert find("wnli").labels == ("not_entailment", "entailment")
    assert find("mnli").labels == ("entailment", "neutral", "contradiction")
    assert find("mnli").dev == ("dev_matched", "dev_mismatched")


def test_find_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown task 'sst-2': did you mean 'sst2'\?.*custom"):
        find("sst-2")


def test_importing_is_quick_because_it_imports_no_heavy_library() -> None:
    code = (
        "import sys, raykd.tasks.load, raykd.hub;"
        "print([m for m in ('torch', 'datasets', 'pandas', 'pyarrow', 'sklearn', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
