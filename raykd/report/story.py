"""What a report tells of a sweep, as plain data: written by whoever reads the sweep, shown by the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from optuna.trial import FrozenTrial

from raykd.report.contenders import Contender, champion
from raykd.report.floor import Floor

Kind = Literal["search", "baseline", "final"]
UNDISTILLED = "baseline"  # the configuration that learns from the labels alone


def plain_of(configuration: str) -> str:
    """A baseline's name without the student that stands behind an @."""
    return configuration.partition("@")[0]


@dataclass(frozen=True)
class Network:
    """A teacher or a student. scores: the task's metric by split, as far as it is known. flops and latency are of a
    forward pass of one row; latency in milliseconds. speedup: how many times as fast as its teacher a student is, and
    the quartiles of that over the turns in which both were timed."""

    name: str
    parameters: int
    scores: Mapping[str, float] = field(default_factory=dict)
    flops: int | None = None
    latency: float | None = None
    speedup: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Stored:
    """The store of what the teacher says that trials read. rows: of the training split; asked: rows of it that the
    teacher was asked about for this sweep, 0 where an earlier one had built the store; seconds: what that took, packing
    and writing counted; pace: seconds in which it answers a row, None where nobody noted them; live: whether something
    is not stored, so that trials that want it ask the teacher."""

    rows: int
    asked: int
    seconds: float
    pace: float | None
    live: bool = False


@dataclass(frozen=True)
class Aimed:
    """What a sweep was to find, and who is chosen for it: a contender, or without any a trial of the search. score: its
    one on the selecting split; wanted: the one asked for, if any was; unknown: references without a score."""

    text: str
    name: str
    score: float
    wanted: float | None = None
    met: bool = True
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training run. progress (parts of the run done, up to 1) and scores (on the selecting split) belong together;
    metrics are those of its end, by ``split/metric``; answers by split its predictions at the end, [N], if kept."""

    label: str
    kind: Kind
    state: str  # "complete", "pruned", "fail" or "running"
    settings: Mapping[str, Any]
    progress: Sequence[float] = ()
    scores: Sequence[float] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0  # of training
    error: str | None = None
    answers: Mapping[str, np.ndarray] = field(default_factory=dict)
    student: str | None = None  # its description
    parameters: int | None = None  # of its student; flops, latency and speedup as a Network's
    flops: int | None = None
    latency: float | None = None
    speedup: tuple[float, float, float] | None = None
    taught: float = 0.0  # epochs in which it asked the teacher about every row of train

    @property
    def configuration(self) -> str:
        """The name that runs of the same settings share: ``t0003`` of ``t0003-s2``."""
        return self.label.rpartition("-s")[0] if self.kind == "final" else self.label

    @property
    def score(self) -> float | None:
        """The last one on the selecting split; None without one that is a number."""
        return self.scores[-1] if self.scores and math.isfinite(self.scores[-1]) else None


@dataclass(frozen=True)
class Story:
    """A sweep, over or still under way. selecting and reporting are names of splits, and the same where dev selected.

    labels: [N] of each split, classes as indices; lengths: [N] tokens of each row; teacher_answers: [N] like labels.
    contenders: what the fresh seeds said of each configuration; none where a sweep had no finals. trials: those of the
    search, as Optuna writes them.
    """

    sweep: str
    task: str
    kind: Literal["classes", "number", "span"]
    classes: tuple[str, ...]
    metric: str
    source: str
    teacher: Network
    student: Network
    selecting: str
    reporting: str
    runs: Sequence[Run] = ()
    contenders: Sequence[Contender] = ()
    trials: Sequence[FrozenTrial] = ()
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    lengths: Mapping[str, np.ndarray] = field(default_factory=dict)
    teacher_answers: Mapping[str, np.ndarray] = field(default_factory=dict)
    space: str = ""  # where the search looked, for a person
    about: Mapping[str, str] = field(default_factory=dict)  # more facts for the foot of the page
    finals_left: int = 0  # runs on fresh seeds that are still to come
    aimed: Aimed | None = None  # None: the best score is the best
    costs_of: str = ""  # what a latency is of, for a person
    stored: Stored | None = None
    workers: int = 1  # of a run, which share its rows
    saved: str | None = None  # label of the run whose student is kept, once one is
    floor: Floor | None = None  # of the split that reports

    def of(self, kind: Kind) -> list[Run]:
        """The runs of a kind, in the order of their start."""
        return [run for run in self.runs if run.kind == kind]

    def finals(self, configuration: str) -> list[Run]:
        """The completed runs of a configuration on fresh seeds."""
        runs = (run for run in self.of("final") if run.configuration == configuration)
        return [run for run in runs if run.state == "complete"]

    @property
    def best(self) -> Run | None:
        """The completed trial of the search with the best score; the earliest of equals."""
        done = [run for run in self.of("search") if run.state == "complete" and run.score is not None]
        return max(done, key=lambda run: run.score or 0.0, default=None)

    @property
    def champion(self) -> Contender | None:
        """The contender with the best mean on the selecting split, or the best by the aim; None without finals."""
        chosen = (one for one in self.contenders if self.aimed is not None and one.name == self.aimed.name)
        return next(chosen, champion(self.contenders) if self.contenders else None)

    @property
    def chosen(self) -> str | None:
        """The configuration that the report is about: the champion, else the best of the search."""
        if self.champion is not None:
            return self.champion.name
        if self.aimed is not None:
            return self.aimed.name
        return self.best.label if self.best is not None else None

    @property
    def students(self) -> tuple[str, ...]:
        """The students that were trained, the first one first."""
        return tuple(dict.fromkeys(run.student for run in self.runs if run.student is not None))

    def network(self, configuration: str | None) -> Network:
        """The student of a configuration, as far as is known; without any runs the sweep's first one."""
        started = (run for run in self.runs if configuration in (run.configuration, run.label))
        run = next(iter([*self.ends(configuration or ""), *started]), None)
        if run is None or run.parameters is None:
            return self.student
        return Network(run.student or self.student.name, run.parameters, {}, run.flops, run.latency, run.speedup)

    def ends(self, configuration: str) -> list[Run]:
        """What stands for a configuration: its runs on fresh seeds, else its one run of the search."""
        found = self.finals(configuration)
        return found or [run for run in self.runs if run.label == configuration and run.state == "complete"]

    def result(self, run: Run, split: str) -> float | None:
        """The task's metric of a run on a split at its end; None where it was not measured."""
        value = run.metrics.get(f"{split}/{self.metric}", run.score if split == self.selecting else None)
        return value if value is not None and math.isfinite(value) else None
