"""Steps made of random tensors, that remember what a term looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from raykd.knowledge.observe import NOWHERE
from raykd.losses.attention_relations import relation_scores
from raykd.losses.cka import word_gram
from raykd.losses.distances import layer_distances, word_distances
from raykd.methods.method import Answers, Pair
from raykd.methods.recipe import Live, Recipe, Scene, Step, Term, Vocabulary
from raykd.methods.seen import LOGITS, PROJECTED, Need, Seen, projections_of
from raykd.models.shape import Shape
from raykd.tasks.encode import Batch
from tests.methods.live import Corpus, Reader, Reading, origin

BATCH, LENGTH, CLASSES, WORDS = 3, 7, 4, 20
MASK = (torch.arange(LENGTH) < torch.tensor([[LENGTH], [4], [2]])).long()


class Noting(Mapping[Need, Tensor]):
    """Every answer a network of this shape could give, and which of them were taken."""

    def __init__(self, shape: Shape, answers: Answers, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)

        def random(*sizes: int) -> Tensor:
            return torch.randn(*sizes, generator=generator)

        self.answers: dict[Need, Tensor] = {}
        for layer in range(shape.layers + 1):
            self.answers[Need("hidden", layer)] = random(BATCH, LENGTH, shape.hidden)
            self.answers[Need("cls", layer)] = random(BATCH, shape.hidden)
            if not layer:
                continue
            for kind in ("query", "key", "value"):
                self.answers[Need(kind, layer)] = random(BATCH, LENGTH, shape.hidden)
            maps = random(BATCH, shape.heads, LENGTH, LENGTH)
            self.answers[Need("scores", layer)] = maps
            padded = MASK[:, None, None, :] == 0
            self.answers[Need("attention", layer)] = maps.masked_fill(padded, -1e9).softmax(-1)
        sizes = {"classes": (BATCH, CLASSES), "number": (BATCH, 1), "span": (2 * BATCH, LENGTH)}[answers]
        self.answers[LOGITS] = random(*sizes)
        if answers == "span":
            self.answers[LOGITS] = self.answers[LOGITS].masked_fill(MASK.repeat(2, 1) == 0, NOWHERE)
        for answer in self.answers.values():
            answer.requires_grad_()
        self.taken: set[Need] = set()

    def __getitem__(self, need: Need) -> Tensor:
        self.taken.add(need)
        if need.kind == "word_distances":
            return word_distances(self.answers[Need("hidden", need.layer)], MASK, need.reach)
        if need.kind == "layer_distances":
            return layer_distances(torch.stack([self.answers[Need("hidden", at)] for at in need.layers]), MASK)
        if need.kind == "word_gram":
            return word_gram(self.answers[Need("hidden", need.layer)], MASK)
        if need.kind == "relation":
            x, y = (self.answers[Need(PROJECTED[letter], need.layer)] for letter in need.letters)
            return relation_scores(x, y, need.heads)
        return self.answers[need]

    def __iter__(self) -> Iterator[Need]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)


@dataclass
class Stand:
    """A pair of networks, and one batch that both have answered. length: of the longest row of the training split."""

    pair: Pair
    student: Noting = field(init=False)
    teacher: Noting = field(init=False)
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.reading = Reading(self.pair.answers)
        self.student = Noting(self.pair.student, self.pair.answers, 1)
        self.teacher = Noting(self.pair.teacher, self.pair.answers, 2)

    def batch(self) -> Batch:
        generator = torch.Generator().manual_seed(3)
        ids = torch.randint(5, WORDS, (BATCH, LENGTH), generator=generator)
        labels = {
            "classes": torch.randint(CLASSES, (BATCH,), generator=generator),
            "number": torch.randn(BATCH, generator=generator),
            "span": torch.tensor([[1, 3], [2, 2], [0, 1]]),
        }[self.pair.answers]
        return Batch(ids, MASK, None, labels, torch.arange(BATCH))

    def scene(self) -> Scene:
        """What extras and facts are made from; the teacher's answers on two batches of the training split."""

        def survey(name: str, needs: Set[Need]) -> Iterator[tuple[Batch, Seen]]:
            for number in range(2):
                rows = torch.arange(BATCH) + number * BATCH
                batch = replace(self.batch(), rows=rows) if name == "train" else corpus.batch(rows.numpy())
                yield batch, Seen({need: self.teacher.answers[need].detach() for need in needs})

        ids = torch.randint(5, WORDS, (2 * BATCH, LENGTH), generator=torch.Generator().manual_seed(4))
        corpus = Corpus(ids, MASK.repeat(2, 1))
        vocabulary, folder = Vocabulary(WORDS, 0, 4, (0, 1, 2, 3, 4)), origin("bert", WORDS)
        return Scene(self.pair, 2 * BATCH, LENGTH, vocabulary, folder, corpus, survey)  # type: ignore[arg-type]

    def live(self, recipe: Recipe, scene: Scene) -> Live:
        """Stub networks in place of those that answer the steps; the opponent is the recipe's own."""
        outputs = {"classes": CLASSES, "number": 1, "span": 2}[self.pair.answers]
        student, teacher = Reader(WORDS, 6, outputs, seed=7), Reader(WORDS, 8, outputs, seed=8)
        opponent = None if recipe.opponent is None else recipe.opponent.make(scene)
        frozen = teacher.eval().requires_grad_(False)
        return Live(student, frozen, opponent, scene.corpus, scene.vocabulary, self.reading)

    def step(self, recipe: Recipe, progress: float = 0.5) -> Step:
        """A step in which nothing has been looked at."""
        self.student.taken.clear()
        self.teacher.taken.clear()
        torch.manual_seed(5)
        scene = self.scene()
        extras = nn.ModuleDict({name: make(scene) for name, make in recipe.extras.items()})
        facts = {name: fact for one in recipe.facts for name, fact in one.make(scene).items()}
        live = self.live(recipe, scene) if recipe.live else None
        return Step(Seen(self.student), Seen(self.teacher), self.batch(), progress, extras, facts, live)


def pair(teacher: int, student: int, *, answers: Answers = "classes", hidden: tuple[int, int] = (24, 16)) -> Pair:
    """Networks of so many layers, of different widths unless told otherwise."""
    return Pair(Shape(teacher, hidden[0], 4, WORDS), Shape(student, hidden[1], 4, WORDS), answers)


def layers(needs: Set[Need]) -> tuple[int, ...]:
    """The layers named, in order."""
    return tuple(sorted(layer for need in needs - {LOGITS} for layer in need.layers or (need.layer,)))


def made_of(need: Need) -> tuple[Need, ...]:
    """The need itself, or the hidden states or projections that a relation is made of."""
    if need.kind in ("word_distances", "word_gram", "layer_distances"):
        return tuple(Need("hidden", layer) for layer in need.layers or (need.layer,))
    return tuple(projections_of(need)) or (need,)


def terms(recipe: Recipe) -> dict[str, Term]:
    """Those of the only stage, by name."""
    [stage] = recipe.stages
    return {term.name: term for term in stage.terms}
