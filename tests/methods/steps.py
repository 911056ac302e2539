"""Steps made of random tensors, that remember what a term looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from raykd.methods.recipe import LOGITS, Need, Networks, Pair, Recipe, Seen, Step, Term
from raykd.models.classifier import Head
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.shape import Shape

BATCH, LENGTH, CLASSES, WORDS = 3, 7, 4, 20


class Noting(Mapping[Need, Tensor]):
    """Every answer a network of this shape could give, and which of them were taken."""

    def __init__(self, shape: Shape, outputs: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        states = torch.randn(shape.layers + 1, BATCH, LENGTH, shape.hidden, generator=generator)
        self.answers = {Need("hidden", layer): state for layer, state in enumerate(states)}
        self.answers[LOGITS] = torch.randn(BATCH, outputs, generator=generator)
        for answer in self.answers.values():
            answer.requires_grad_()
        self.taken: set[Need] = set()

    def __getitem__(self, need: Need) -> Tensor:
        self.taken.add(need)
        return self.answers[need]

    def __iter__(self) -> Iterator[Need]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)


@dataclass
class Scene:
    """A pair of networks, and one batch that both have answered."""

    pair: Pair
    student: Noting = field(init=False)
    teacher: Noting = field(init=False)

    def __post_init__(self) -> None:
        outputs = 1 if self.pair.regression else CLASSES
        self.student, self.teacher = Noting(self.pair.student, outputs, 1), Noting(self.pair.teacher, outputs, 2)

    def step(self, recipe: Recipe) -> Step:
        """A step in which nothing has been looked at."""
        self.student.taken.clear()
        self.teacher.taken.clear()
        generator = torch.Generator().manual_seed(3)
        mask = torch.arange(LENGTH) < torch.tensor([[LENGTH], [4], [2]])
        classes = torch.randint(CLASSES, (BATCH,), generator=generator)
        return Step(
            student=Seen(self.student),
            teacher=Seen(self.teacher),
            input_ids=torch.randint(5, WORDS, (BATCH, LENGTH), generator=generator),
            attention_mask=mask.long(),
            labels=torch.randn(BATCH, generator=generator) if self.pair.regression else classes,
            rows=torch.arange(BATCH),
            progress=0.5,
            extras=nn.ModuleDict({name: make() for name, make in recipe.extras.items()}),
            networks=self.networks() if recipe.live_teacher else None,
        )

    def networks(self) -> Networks:
        """Real ones, for recipes that want them."""
        tokenizer = word_tokenizer([f"word{number}" for number in range(WORDS)])
        head = Head(() if self.pair.regression else tuple(f"class{number}" for number in range(CLASSES)))
        student, teacher = (
            scratch_classifier(tokenizer, head, layers=of.layers, hidden=of.hidden, heads=of.heads, seed=1)
            for of in (self.pair.student, self.pair.teacher)
        )
        return Networks(student, teacher.requires_grad_(False))


def pair(teacher: int, student: int, *, regression: bool = False) -> Pair:
    """Networks of so many layers and different widths."""
    return Pair(Shape(teacher, 24, 4, WORDS), Shape(student, 16, 4, WORDS), regression)


def layers(needs: Set[Need]) -> tuple[int, ...]:
    """The layers named, in order."""
    return tuple(sorted(need.layer for need in needs - {LOGITS}))


def terms(recipe: Recipe) -> dict[str, Term]:
    """Those of the only stage, by name."""
    [stage] = recipe.stages
    return {term.name: term for term in stage.terms}
