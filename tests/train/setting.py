"""One tiny task, a teacher of 4 layers and students of 2, 32 wide: enough to train in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from raykd.knowledge.teacher import live_teacher
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe
from raykd.models.classifier import Head, load_classifier
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.shape import shape
from raykd.models.student import make_student, parse_student
from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode
from raykd.train.config import TaskSpec, Training
from raykd.train.loop import Report, distill
from raykd.train.objective import Objective
from raykd.train.scene import Around, make_scene

GOOD, BAD, PLAIN = ([f"{kind}{n}" for n in range(6)] for kind in ("good", "bad", "plain"))
ROWS = {"train": 96, "dev": 64}
TRAINING = Training(learning_rate=2e-3, epochs=2, batch_size=16, evaluations=4, warmup=0.1, max_length=32)


@dataclass(frozen=True)
class Setting:
    """Folders of the tokenised splits and of the teacher, and the task they belong to."""

    folder: Path
    task: TaskSpec

    def split(self, name: str) -> Encoded:
        return Encoded.open(self.folder / name)

    @property
    def head(self) -> Head:
        return Head(self.task.labels)

    def teacher(self) -> PreTrainedModel:
        return load_classifier(self.folder / "teacher", self.head)

    def student(self, *, dropout: float = 0.1) -> PreTrainedModel:
        """A fresh one, the same each time."""
        model = make_student(parse_student("cut:2"), self.folder / "teacher", self.head, seed=3)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
        return model

    def recipe(self, method: str, **parameters: Any) -> Recipe:
        """That of a method, for this teacher and student."""
        found = METHODS[method]
        pair = Pair(shape(self.teacher()), shape(self.student()), self.task.kind)
        return found.recipe(found.parameters.model_validate(parameters), pair)

    def objective(
        self, recipe: Recipe, student: PreTrainedModel | None = None, teacher: nn.Module | None = None
    ) -> Objective:
        """What the loop trains."""
        student, device = student or self.student(), torch.device("cpu")
        known = None if teacher is None else live_teacher(teacher)
        scene = make_scene(student, known, self.split("train"), self.task, Around(), device)
        return Objective(student, recipe, scene, {}, teacher).train()

    def run(
        self,
        recipe: Recipe,
        folder: Path,
        student: nn.Module,
        *,
        training: Training = TRAINING,
        report: Callable[[Report], bool] = lambda _: True,
        **options: Any,
    ) -> list[Report]:
        """Distil with the live teacher on the CPU; the reports, in order."""
        reports: list[Report] = []

        def keep(done: Report) -> bool:
            reports.append(done)
            return report(done)

        dev = {"dev": self.split("dev")}
        options = {"teacher": self.teacher(), "device": torch.device("cpu"), **options}
        if isinstance(options["teacher"], nn.Module):
            options["teacher"] = live_teacher(options["teacher"])
        last = distill(student, recipe, self.split("train"), dev, self.task, training, folder, keep, **options)
        assert last is None or last == reports[-1]
        return reports


def build(folder: Path, *, regression: bool) -> Setting:
    """Write the splits, and a teacher of random weights. Label: more good words than bad, or their balance."""
    words = [*GOOD, *BAD, *PLAIN]
    labels, metrics = ((), ("pearson", "spearman")) if regression else (("no", "yes"), ("accuracy", "f1"))
    setting = Setting(folder, TaskSpec(name="toy", labels=labels, metrics=metrics, primary=metrics[0]))
    generator = np.random.default_rng(5)
    tokenizer = word_tokenizer(words)
    for name, number in ROWS.items():
        sentences, values = [], []
        for row in range(number):
            length = int(generator.integers(4, 25))
            chosen = generator.choice(GOOD if row % 2 else BAD, size=length)
            blank = generator.random(length) < generator.random()
            sentence = np.where(blank, generator.choice(PLAIN, size=length), chosen)
            sentence[0] = chosen[0]
            balance = sum(int(word in GOOD) - int(word in BAD) for word in sentence) / length
            sentences.append((" ".join(sentence),))
            values.append(balance if regression else row % 2)
        split = Split(tuple(sentences), tuple(values))
        encoded = encode(split, tokenizer, max_length=32, regression=regression, cache=folder)
        encoded.folder.rename(folder / name)
    save_teacher(
        setting, scratch_classifier(tokenizer, setting.head, hidden=32, intermediate=64, max_length=32, seed=1)
    )
    return setting


def save_teacher(setting: Setting, model: PreTrainedModel) -> None:
    """Put `model` in the teacher's place."""
    with quiet():
        save_student(model, word_tokenizer([*GOOD, *BAD, *PLAIN]), setting.folder / "teacher", card={})


def weights(module: nn.Module) -> dict[str, Tensor]:
    """Copies of all weights."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two weights of one name."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def timeless(report: Report) -> Report:
    """The report without what a clock says."""
    return replace(report, seconds=0.0, first_step=0.0, at=0.0)
