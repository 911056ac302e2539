"""Every method on real, tiny networks: what a conformance test needs to take a step, without a loop or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from raykd.knowledge.teacher import live_teacher
from raykd.methods import METHODS
from raykd.methods.method import Answers, Link, Pair
from raykd.methods.recipe import Recipe, Scene, Stage, Vocabulary
from raykd.methods.seen import Need, Seen
from raykd.models.shape import shape
from raykd.tasks.encode import Batch
from raykd.train.objective import Objective
from tests.kinds import WORDS, tiny
from tests.methods.live import origin

ROWS, LENGTH = 6, 7
SPECIAL = (0, 1, 2, 3, 4)


class Texts:
    """A tokenised split as Encoded is one, of random rows."""

    def __init__(self, answers: Answers, rows: int = ROWS, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.ids = torch.randint(5, WORDS, (rows, LENGTH), generator=generator)
        self.ids[:, 0] = 2
        self.lengths = np.array([LENGTH - row % 3 for row in range(rows)], dtype=np.int32)
        self.labels = {
            "classes": torch.randint(3, (rows,), generator=generator),
            "number": torch.rand(rows, generator=generator),
            "span": torch.randint(1, 4, (rows, 1), generator=generator) + torch.tensor([[0, 1]]),
        }[answers]
        self.key = f"texts-{seed}"

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Sequence[int] | np.ndarray | Tensor) -> Batch:
        chosen = torch.as_tensor(np.asarray(rows), dtype=torch.long)
        mask = (torch.arange(LENGTH) < torch.from_numpy(self.lengths)[chosen, None]).long()
        return Batch(self.ids[chosen] * mask, mask, None, self.labels[chosen], chosen)


@dataclass(frozen=True)
class Bench:
    """One run's link of a method between a teacher of 4 layers and a student of 2."""

    recipe: Recipe
    student: PreTrainedModel
    teacher: PreTrainedModel
    objective: Objective
    scene: Scene
    texts: Texts

    def told(self, batch: Batch, stage: Stage) -> Seen:
        return live_teacher(self.teacher).answer(batch, stage.teacher_needs())

    def loss(self, stage: Stage, batch: Batch, progress: float | None = None, seed: int = 3) -> Tensor:
        """The stage's total on `batch`."""
        torch.manual_seed(seed)  # for terms that draw
        total: Tensor = self.objective(batch, self.told(batch, stage), stage, progress or stage.until)[0]
        return total


def bench(kind: str, name: str, answers: Answers, **parameters: Any) -> Bench:
    """The last link of method `name`; the teacher is one of random weights, larger ones than at birth, so that it says
    something."""
    method = METHODS[name]
    teacher, student = tiny(kind, 4, answers, seed=1), tiny(kind, 2, answers, seed=2)
    with torch.no_grad():
        for weight in teacher.parameters():
            weight.mul_(1.5)
    pair = Pair(shape(teacher), shape(student), answers, corpus=True)
    link: Link = method.links(method.parameters.model_validate(parameters), pair)[-1]
    recipe = link.recipe(pair)
    texts, corpus = Texts(answers), Texts(answers, rows=9, seed=4)
    splits = {"train": texts, "corpus": corpus}

    def survey(split: str, needs: Set[Need]) -> Iterator[tuple[Batch, Seen]]:
        rows = splits[split]
        for start in range(0, len(rows), 4):
            batch = rows.batch(range(start, min(start + 4, len(rows))))
            yield batch, live_teacher(teacher).answer(batch, needs)

    vocabulary = Vocabulary(WORDS, 0, 4, SPECIAL)
    scene = Scene(pair, len(texts), LENGTH, vocabulary, origin(kind, WORDS), corpus, survey)  # type: ignore[arg-type]
    facts = {key: tensor for fact in recipe.facts for key, tensor in fact.make(scene).items()}
    torch.manual_seed(6)
    objective = Objective(student, recipe, scene, facts, teacher)
    if recipe.opponent is not None:
        objective.face(recipe.opponent.make(scene))
    return Bench(recipe, student, teacher, objective, scene, texts)
