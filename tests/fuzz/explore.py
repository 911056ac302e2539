"""So many cases of each kind, drawn by Hypothesis, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz import files, lines, outputs, rows, spaces, sweeps, teachers
from tests.fuzz.case import Case
from tests.fuzz.ground import Ground, Outcome

# What is generated, and its share of all cases.
KINDS: dict[str, tuple[Callable[[], SearchStrategy[Case]], float]] = {
    "search spaces": (spaces.cases, 0.25),
    "task data": (rows.cases, 0.15),
    "own files": (files.cases, 0.2),
    "command lines": (lines.cases, 0.2),
    "sweep folders": (sweeps.cases, 0.1),
    "model folders": (teachers.cases, 0.1),
    "outputs": (outputs.cases, 0.2),
}


@dataclass
class Tally:
    """Of one kind: how cases ended, what was said, what went wrong."""

    kind: str
    ended: Counter[str] = field(default_factory=Counter)
    messages: set[str] = field(default_factory=set)
    failures: dict[str, tuple[Case, Outcome]] = field(default_factory=dict)  # by fault, the first of each
    faults: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count one case."""
        self.ended[outcome.ended] += 1
        self.messages.add(outcome.message)
        self.seconds += outcome.seconds
        self.slowest = max(self.slowest, outcome.seconds)
        if outcome.fault:
            self.faults += 1
            self.failures.setdefault(outcome.fault.split("\n")[0][:120], (case, outcome))

    def __str__(self) -> str:
        shown = [f"{fault}\n  {case!r}"[:3000] for fault, (case, _) in self.failures.items()]
        return f"{self.faults} of {sum(self.ended.values())} cases about {self.kind}:\n" + "\n".join(shown)


def explore(kind: str, count: int, number: int, ground: Ground) -> Tally:
    """Run `count` cases of a kind; the same ones for the same seed `number`."""
    tally = Tally(kind)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(KINDS[kind][0]())
    def one(case: Case) -> None:
        tally.add(case, ground.run(case))

    one()
    return tally
