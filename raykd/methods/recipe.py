"""The seam between a paper and the training loop: terms, stages, extras, and what else a run may need.

A *term* is a pure loss with a weight and a statement of what it must see of either network, a *stage* a sum of terms
over a part of the run, a *recipe* the stages in order, with the modules that train beside the student. The loop knows
only recipes; what it asks of the teacher is the union of the terms' needs, never a second list kept by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from raykd.methods.seen import Need, Seen

if TYPE_CHECKING:
    from raykd.methods.method import Pair
    from raykd.tasks.encode import Batch, Encoded


class Observe(Protocol):
    """A forward pass of a network, answered in terms of needs (raykd.knowledge.observe)."""

    def __call__(
        self, model: nn.Module, batch: Batch, needs: Set[Need], *, inputs_embeds: Tensor | None = None
    ) -> Seen: ...


@dataclass(frozen=True)
class Vocabulary:
    """Token ids that a recipe may have to know."""

    size: int
    pad: int
    mask: int | None
    special: tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """What a recipe's extras, facts and opponent are made from, once, before the first step.

    rows, length: of the training split, its number of rows and the tokens of its longest. origin: the folder of the
    encoder the student was cut from. corpus: texts of the user's beside the task's, if any. survey yields the
    teacher's answers on a split ("train" or "corpus"), batch by batch in the order of its rows, without gradients.
    """

    pair: Pair
    rows: int
    length: int
    vocabulary: Vocabulary
    origin: Path
    corpus: Encoded | None
    survey: Callable[[str, Set[Need]], Iterator[tuple[Batch, Seen]]]


@dataclass(frozen=True)
class Live:
    """The networks themselves, for recipes that ask about more than the batch (Recipe.live)."""

    student: nn.Module
    teacher: nn.Module
    opponent: nn.Module | None
    corpus: Encoded | None
    vocabulary: Vocabulary
    observe: Observe


@dataclass(frozen=True)
class Step:
    """All a term may look at in one optimiser step.

    progress in (0, 1] is the part of the run that this step completes; facts are the recipe's, worked out before the
    run; live is there only where the recipe asked for it. shared: what the first term to want it works out for all.
    """

    student: Seen
    teacher: Seen
    batch: Batch
    progress: float
    extras: nn.ModuleDict
    facts: Mapping[str, Tensor]
    live: Live | None = None
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def attention_mask(self) -> Tensor:
        """[B, L], 1 = token, 0 = padding."""
        return self.batch.attention_mask

    @property
    def labels(self) -> Tensor:
        """[B] class indices (-100: no label) or real numbers (NaN: no label); [2 B] positions for spans, as logits."""
        labels = self.batch.labels
        return labels.T.reshape(-1) if labels.ndim == 2 else labels

    @property
    def rows(self) -> Tensor:
        """[B] row numbers in the training split."""
        return self.batch.rows


@dataclass(frozen=True)
class Term:
    """One weighted summand of an objective and what it needs to see."""

    name: str
    weight: float
    loss: Callable[[Step], Tensor]
    student: frozenset[Need] = frozenset()
    teacher: frozenset[Need] = frozenset()


# (embedding output [B, L, D], gradient of the total at it, attention_mask) -> the embedding output of the second pass.
Perturb = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Stage:
    """A sum of terms that trains until the fraction `until` of the run.

    scored: whether the task metric means anything at its end; a stage that trains no classifier is no rung at which a
    trial may be stopped. anew: optimiser and learning rate schedule start again. from_best: the student goes back to
    its best evaluation of the stage before. perturb: the update is that of a second pass at moved embeddings.
    """

    terms: tuple[Term, ...]
    until: float = 1.0
    name: str = "main"
    scored: bool = True
    anew: bool = False
    from_best: bool = False
    perturb: Perturb | None = None

    @property
    def active(self) -> tuple[Term, ...]:
        """The terms that count: one of weight 0 is neither computed nor asked about."""
        return tuple(term for term in self.terms if term.weight)

    def teacher_needs(self) -> frozenset[Need]:
        """The union of what the stage's terms ask of the teacher."""
        return frozenset(need for term in self.active for need in term.teacher)

    def student_needs(self) -> frozenset[Need]:
        """The union of what the stage's terms ask of the student."""
        return frozenset(need for term in self.active for need in term.student)


@dataclass(frozen=True)
class Fact:
    """Worked out from the whole training split before the run, and shared between trials. key: all it depends on beside
    teacher and split."""

    key: str
    make: Callable[[Scene], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Opponent:
    """A network that trains against the student with an optimiser of its own (AdamW), minimising `loss`.

    It trains on the first `turns` batches of every `cycle`, until the fraction `until` of the run; the student trains
    on all of them.
    """

    make: Callable[[Scene], nn.Module]
    check: Callable[[Pair, Path], None]  # before anything is trained: UserError where `make` could not serve
    loss: Callable[[Step], Tensor]
    learning_rate: float
    turns: int = 10
    cycle: int = 100
    until: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Stages in order (the last one ends at 1.0), trainable extras by name, and what else the run needs."""

    stages: tuple[Stage, ...]
    extras: Mapping[str, Callable[[Scene], nn.Module]] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    opponent: Opponent | None = None
    live: bool = False  # the terms ask the networks about more than the batch

    def teacher_needs(self) -> frozenset[Need]:
        """The union of what all terms of all stages ask of the teacher."""
        return frozenset(need for stage in self.stages for need in stage.teacher_needs())

    def student_needs(self) -> frozenset[Need]:
        """The union of what all terms of all stages ask of the student."""
        return frozenset(need for stage in self.stages for need in stage.student_needs())
