"""S23: a task whose answer is a number: a loss for classes only is refused, all others take squared errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raykd.errors import UserError
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.shape import shape
from tests.test_bad_input import WORDS, Tell
from tests.train.setting import TRAINING, Setting

CLASSES_ONLY = [name for name, method in METHODS.items() if "number" not in method.answers]
# One measures the labels' term at other inputs than the text, two want a generator as well; the loop's own tests have
# all three learn numbers.
APART = ("lrc_bert", "mate_kd", "combined_kd")
PLAIN = [
    name
    for name, method in METHODS.items()
    if "number" in method.answers and method.chain is None and not method.needs_corpus and name not in APART
]


def test_some_methods_are_for_classes_only() -> None:
    assert CLASSES_ONLY == ["label_smoothing", "tf_reg"]


@pytest.mark.parametrize("name", CLASSES_ONLY)
def test_a_loss_for_classes_is_refused(numbers: Setting, name: str) -> None:
    method = METHODS[name]
    pair = Pair(shape(numbers.teacher()), shape(numbers.student()), "number")
    with pytest.raises(UserError, match="it learns classes; this task's answer is of kind number"):
        method.links(method.parameters(), pair)


@pytest.mark.parametrize("name", CLASSES_ONLY)
def test_it_is_refused_on_the_command_line_before_anything_is_trained(tell: Tell, home: Path, name: str) -> None:
    file = home / "pairs.csv"
    lines = [f"w{i % 7} w{i % 5},w{i % 3},{i % 6 * 0.9:.1f}" for i in range(60)]
    file.write_text("sentence1,sentence2,label\n" + "\n".join(lines) + "\n")
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(()), layers=2, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, home / "scores")
    given = ["--task", "stsb", "--data", str(file), "--teacher", str(home / "scores"), "--method", name]
    for command in (["tune", "--trials", "1"], ["distill", "--epochs", "1"]):
        said = tell(*command, *given)
        assert name in said
        assert "this task's answer is of kind number" in said


@pytest.mark.parametrize("name", PLAIN)
def test_every_other_takes_squared_errors(numbers: Setting, tmp_path: Path, name: str) -> None:
    # One step over all rows: what is reported is the loss of the student as it was made.
    training = TRAINING.model_copy(update={"batch_size": 96, "epochs": 1.0, "evaluations": 1})
    student, split = numbers.student(dropout=0.0), numbers.split("train")
    batch = split.batch(range(len(split)))
    with torch.no_grad():
        answer = student(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[:, 0]
    expected = float((answer - batch.labels).square().mean())
    [report] = numbers.run(numbers.recipe(name), tmp_path, student, training=training)
    found = [value for key, value in report.metrics.items() if key == "train/hard"]
    assert found == pytest.approx([expected] * len(found), rel=1e-5)
    assert "dev/pearson" in report.metrics
