"""What a method is: a name, checked hyperparameters, and the recipe (or the chain of runs) that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from raykd.errors import UserError
from raykd.methods.recipe import Recipe
from raykd.models.shape import Shape

Answers = Literal["classes", "number", "span"]
ALL: frozenset[Answers] = frozenset({"classes", "number", "span"})


class Parameters(BaseModel):
    """Base of every method's hyperparameters: unknown keys are refused, values are checked, finite and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Pair:
    """What a recipe may know of the two networks and the task before either is loaded."""

    teacher: Shape
    student: Shape
    answers: Answers = "classes"
    corpus: bool = False  # whether the user gave texts beside the task's

    @property
    def regression(self) -> bool:
        """True when the task's answer is a real number."""
        return self.answers == "number"


@dataclass(frozen=True)
class Link:
    """One run of a chain: who learns, from whom, and how.

    learner: "student", "teacher" (the whole encoder that students are cut from, under a fresh head), or a student
    description such as "cut:8". taught_by: "teacher", "previous" (what the run before left) or "nobody".
    epochs: this run's share of the trial's epochs. The last run of a chain has the trial's own seed, so that it starts
    as other methods' students do; each earlier one has a seed that follows from its name.
    """

    name: str
    recipe: Callable[[Pair], Recipe]
    learner: str = "student"
    taught_by: Literal["teacher", "previous", "nobody"] = "previous"
    epochs: float = 1.0


@dataclass(frozen=True)
class Method:
    """A published objective: its hyperparameters with the paper's defaults, and the recipe they make.

    recipe raises UserError where the pair cannot serve it, naming the valid range. chain: the runs that make the
    student where one is not enough, the last of which is the trial's result; recipe is then that of the last.
    answers: the tasks it can learn. needs_corpus: it retrieves from texts that the user must give. general: a recipe of
    its own for the general stage (see raykd.methods.general), with hyperparameters of its own if they are others there.
    """

    name: str
    title: str
    paper: str
    parameters: type[Parameters]
    recipe: Callable[[Any, Pair], Recipe]
    needs_teacher: bool = True
    chain: Callable[[Any, Pair], tuple[Link, ...]] | None = None
    answers: frozenset[Answers] = ALL
    needs_corpus: bool = False
    ensemble: bool = False  # the runs of a chain answer together as well
    general: Callable[[Any, Pair], Recipe] | None = None
    general_parameters: type[Parameters] | None = None

    def links(self, parameters: Parameters, pair: Pair) -> tuple[Link, ...]:
        """The runs of a trial, one for most methods. UserError where the task or the pair cannot serve."""
        problems = []
        if pair.answers not in self.answers:
            allowed = ", ".join(sorted(self.answers))
            problems.append(f"it learns {allowed}; this task's answer is of kind {pair.answers}")
        if self.needs_corpus and not pair.corpus:
            problems.append("it retrieves from your own texts: give one or more with --corpus")
        if problems:
            raise UserError(*problems)
        if self.chain is not None:
            return self.chain(parameters, pair)
        taught_by: Literal["teacher", "nobody"] = "teacher" if self.needs_teacher else "nobody"
        return (Link("main", lambda of: self.recipe(parameters, of), taught_by=taught_by),)
