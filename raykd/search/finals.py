"""The runs after a search: its best configurations and the baselines again, on seeds that the search has not seen.

A search picks the best of many noisy scores, so the score it picked by promises too much. What the same configuration
does on fresh seeds does not, and the baselines run on the same seeds, so that runs compare in pairs.

Where students are searched, each student among the best configurations has baselines of its own: that a larger student
beats a smaller one is no merit of a method. Those of the first student have the plain names, those of another its own
behind an @: ``kd@cut-4-s1``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykd.seeds import derive_seed

BASELINE = "baseline"  # no distillation
KD = "kd"  # vanilla distillation with its published defaults
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Final:
    """Run `number` (from 1) of the configuration `name`: a search trial's label, or a rival's name."""

    name: str
    number: int

    @property
    def label(self) -> str:
        """What the run is called in its sweep, e.g. t0003-s2."""
        return f"{self.name}-s{self.number}"


def parse(label: str) -> Final | None:
    """The final called `label`; None for a trial of the search and for the baseline beside it."""
    name, dash, number = label.rpartition("-s")
    return Final(name, int(number)) if dash and number.isdigit() else None


def planned(
    best: Sequence[tuple[str, Settings]],
    baseline: Settings,
    seeds: int,
    seed: int,
    students: Sequence[str | None] = (),
) -> Iterator[tuple[Final, dict[str, Any]]]:
    """Every final with its settings: each seed's runs together, so that a sweep that is cut short still has pairs.

    best: the configurations that the search found, best first. baseline: the settings of no distillation; those of
    vanilla distillation are the same but for the method. Both may name a student, the baseline the first one; then the
    baselines are run for each student that the best have, and for further `students`. seed: the sweep's.
    """
    first = baseline.get("student")
    named = dict.fromkeys([*(settings.get("student", first) for _, settings in best), *students])
    own = rivals(sorted(named, key=lambda name: name != first) if named and first is not None else (None,), baseline)
    for number in range(1, seeds + 1):
        for name, settings in [*own, *best]:
            yield Final(name, number), {**settings, "seed": fresh(seed, number)}


def rivals(students: Sequence[str | None], baseline: Settings) -> list[tuple[str, Settings]]:
    """The baselines of each student by name, with their settings.

    Args:
        students: Descriptions; None where there is but one.
        baseline: The settings of no distillation. They may name a student: the first one, whose baselines have the
            plain names.
    """
    first = baseline.get("student")
    found: list[tuple[str, Settings]] = []
    for student in students:
        own = baseline if student == first or first is None else {**baseline, "student": student}
        named = None if first is None else student
        found += [(rival(BASELINE, named, first), own), (rival(KD, named, first), {**own, "method": KD})]
    return found


def rival(plain: str, student: str | None, first: str | None) -> str:
    """The name of BASELINE or KD with `student`: the plain one for the `first` student. A folder may be called so."""
    return plain if student is None or student == first else f"{plain}@{_short(student)}"


def plain_of(name: str) -> str:
    """The configuration `name` without its student: BASELINE or KD for a rival of whichever student."""
    return name.partition("@")[0]


def is_rival(name: str) -> bool:
    """Whether the configuration `name` is one that the others are compared with."""
    return plain_of(name) in (BASELINE, KD)


def _short(student: str) -> str:
    """Letters, digits and dashes for a description; another one for another student."""
    short = re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")
    if student.startswith(("cut:", "build:")):
        return short
    return f"{short[-30:].lstrip('-')}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"  # paths may end alike


def fresh(seed: int, number: int) -> int:
    """The seed of final run `number` of a sweep with `seed`: another one than the search's."""
    own = derive_seed(seed, "final", number)
    return own if own != seed else own ^ 1
