"""Where the answers of student, teacher and undistilled student are wrong: by class, by length, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from raykd.report.story import UNDISTILLED, Story, plain_of

Role = Literal["student", "teacher", "undistilled"]
BINS = 5  # of lengths, with about as many rows in each
ROWS = 50  # that are named
HALF = 0.5  # a span that scores as much counts as right


@dataclass(frozen=True)
class Judged:
    """How far off one network is on the reporting split. off: [S, N] of each of its runs on each row: 1 for another
    class than the label's, the distance from the number, or what a span lacks of a perfect score."""

    role: Role
    name: str
    off: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """[N] the mean over the runs."""
        mean: np.ndarray = self.off.mean(axis=0)
        return mean

    @property
    def right(self) -> np.ndarray:
        """[S, N] whether the answer is right."""
        return self.off < HALF


@dataclass(frozen=True)
class Group:
    """Some rows, and the mean error of each network on them."""

    name: str
    rows: int
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Versus:
    """Answers by who is right: every row once for each of the student's `runs`, so that the share of the right ones is
    the mean of the runs. often: rows that the teacher gets right and at least half of the runs get wrong; rows: the
    numbers (from 0) of the first of those. network: whose runs they are."""

    both: int
    teacher: int
    student: int
    neither: int
    runs: int
    often: int
    rows: tuple[int, ...]
    network: str

    @property
    def answers(self) -> int:
        """All of them."""
        return self.both + self.teacher + self.student + self.neither

    @property
    def share(self) -> float:
        """Of the student's answers that are right."""
        return (self.both + self.student) / self.answers


def judged(story: Story) -> list[Judged]:
    """The chosen student first, then teacher and undistilled student, as far as their answers are kept."""
    labels = story.labels.get(story.reporting)
    if labels is None or not len(labels):
        return []
    named: list[tuple[Role, str, list[np.ndarray]]] = []
    if story.chosen is not None and plain_of(story.chosen) != UNDISTILLED:
        named.append(("student", f"student ({story.chosen})", _answers(story, story.chosen)))
    if story.reporting in story.teacher_answers:
        named.append(("teacher", "teacher", [story.teacher_answers[story.reporting]]))
    named.append(("undistilled", "undistilled", _answers(story, _undistilled(story))))
    found: list[Judged] = []
    for role, name, answers in named:
        whole = [
            _off(story.kind, given, labels) for given in answers if story.kind == "span" or len(given) == len(labels)
        ]
        if whole and (not found or found[0].off.shape[1:] == whole[0].shape):
            found.append(Judged(role, name, np.stack(whole)))
    return found


def _undistilled(story: Story) -> str:
    """The undistilled configuration of the chosen student: that one alone shows what distillation does. "" where it has
    not run."""
    if story.chosen is None:
        return UNDISTILLED
    own = {run.student for run in story.ends(story.chosen)}
    plain = (run for run in story.runs if plain_of(run.configuration) == UNDISTILLED and run.student in own)
    return next((run.configuration for run in plain), "")


def _off(kind: str, given: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N] float64: how wrong each answer is. Those for spans say themselves how good they are."""
    if kind == "span":
        return 1 - given.astype(np.float64)
    return np.abs(given.astype(np.float64) - labels) if kind == "number" else (given != labels).astype(np.float64)


def _answers(story: Story, configuration: str) -> list[np.ndarray]:
    return [run.answers[story.reporting] for run in story.ends(configuration) if story.reporting in run.answers]


def by_class(story: Story, networks: Sequence[Judged]) -> list[Group]:
    """The errors on the rows of each class that occurs; none for numbers."""
    if story.kind != "classes" or not networks:
        return []
    labels = story.labels[story.reporting]
    return [
        _group(name, labels == number, networks)
        for number, name in enumerate(story.classes)
        if (labels == number).any()
    ]


def by_length(story: Story, networks: Sequence[Judged]) -> list[Group]:
    """The errors on rows of similar length in tokens; none where all are equally long."""
    lengths = story.lengths.get(story.reporting)
    if not networks or lengths is None or lengths.shape != networks[0].wrong.shape:
        return []
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, BINS + 1), method="nearest"))
    groups = []
    for number, low in enumerate(edges[:-1]):
        last = number == len(edges) - 2
        high = int(edges[number + 1]) - (not last)
        name = f"{int(low)}" if high <= low else f"{int(low)} to {high}"
        groups.append(_group(name, (lengths >= low) & (lengths <= high), networks))
    return [group for group in groups if group.rows]


def _group(name: str, rows: np.ndarray, networks: Sequence[Judged]) -> Group:
    return Group(name, int(rows.sum()), tuple(float(network.wrong[rows].mean()) for network in networks))


def versus(story: Story, networks: Sequence[Judged]) -> Versus | None:
    """Student against teacher, answer by answer; without a distilled student the undistilled one.

    Returns:
        None for numbers, of which none is simply right, and where the answers of either are not kept.
    """
    by_role = {network.role: network for network in networks}
    student = by_role.get("student", by_role.get("undistilled"))
    if story.kind == "number" or "teacher" not in by_role or student is None:
        return None
    teacher, right = by_role["teacher"].right[0], student.right
    often = np.flatnonzero(teacher & (right.mean(axis=0) <= HALF))
    return Versus(
        both=int((right & teacher).sum()),
        teacher=int((~right & teacher).sum()),
        student=int((right & ~teacher).sum()),
        neither=int((~right & ~teacher).sum()),
        runs=len(right),
        often=len(often),
        rows=tuple(int(row) for row in often[:ROWS]),
        network=student.name,
    )
