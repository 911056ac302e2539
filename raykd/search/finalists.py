"""Who of a search is confirmed on fresh seeds: its best configurations, each once, beside the baselines.

A trial of the search may be the very configuration of a baseline, as where a space begins at the defaults of kd. It
runs once, under the baseline's name, and takes nobody's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import TrialState

from raykd.search.aimed import Scored, finalists
from raykd.search.apart import WIDTH, different_first
from raykd.search.configuration import configuration
from raykd.search.entry import Entry
from raykd.search.finals import BASELINE, rivals
from raykd.search.spec import SweepSpec

Ranking = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Picked:
    """trials: labels of the search's finalists, the best first. students: those whose baselines run beside them; none
    where the search found nothing to confirm."""

    trials: tuple[str, ...] = ()
    students: tuple[str, ...] = ()


class Finalists:
    """Picks the finalists of `spec` anew only where others lead.

    Args:
        spec: The sweep.
        answers: Of a trial or the baseline, what it answered [N] on the split that selects; None if that is unknown.
    """

    def __init__(self, spec: SweepSpec, answers: Callable[[str], np.ndarray | None]) -> None:
        self.spec, self._answers = spec, answers
        self._before: tuple[list[str], TrialState] | None = None
        self._picked = Picked()

    def pick(self, ranking: Ranking, entries: Mapping[str, Entry]) -> Picked:
        """Who would be confirmed if the search were over now.

        Args:
            ranking: The search's completed trials, the best first, each behind minus its score.
            entries: By label, those of all of these and of the baseline.

        Returns:
            Nobody where the sweep has no finals, no trial of the search is complete, or no baseline has begun.
        """
        spec, baseline = self.spec, entries.get(BASELINE)
        if not (spec.finalists and ranking and baseline is not None):
            return Picked()
        width = WIDTH * spec.finalists
        # Without an aim only so many can come into question, however many there are.
        scored = _scored(ranking[:width] if spec.aim is None else ranking, entries)
        best = finalists(spec, scored, baseline.score, width)
        if (best, baseline.state) != self._before:
            settings = {label: entries[label].settings for label in best}
            self._picked = pick(spec, best, settings, (BASELINE, baseline.settings), self._answers)
            self._before = best, baseline.state
        return self._picked

    def first(self, ranking: Ranking, entries: Mapping[str, Entry]) -> list[str]:
        """The trials that are best by their score and by the aim."""
        if self.spec.aim is None or not ranking:
            return [label for _, label in ranking[:1]]
        baseline = entries.get(BASELINE)
        aimed = finalists(self.spec, _scored(ranking, entries), baseline.score if baseline else None, 1)
        return [ranking[0][1], *aimed]


def _scored(ranking: Ranking, entries: Mapping[str, Entry]) -> list[Scored]:
    return [(label, -worse, entries[label].settings) for worse, label in ranking]


def pick(
    spec: SweepSpec,
    ranked: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    baseline: tuple[str, Mapping[str, Any]],
    answers: Callable[[str], np.ndarray | None],
) -> Picked:
    """Choose as many finalists as the sweep is to have.

    Passed over are those that answer like a better one, or like a baseline of the same student, unless there are too
    few others. The answers of kd are known where a trial of the search has its configuration. With an aim over several
    students nobody is passed over for that: the best of each student stands for it, whatever it answers.

    Args:
        spec: The sweep.
        ranked: Labels of the trials that come into question, in the order of their rank.
        settings: By label, those of all of these.
        baseline: The label and the settings of the undistilled student in the search.
        answers: Of a trial, what it answered on the split that selects; None if that is unknown.

    Returns:
        The finalists. It depends on the arguments alone, so a sweep that is resumed has the same ones.
    """
    label_of_none, plain = baseline
    student = {label: spec.student_of(settings[label]) for label in ranked}
    own = {name: {configuration(spec, of) for _, of in rivals((name,), plain)} for name in set(student.values())}
    twins = [label for label in ranked if configuration(spec, settings[label]) in own[student[label]]]

    def baselines(label: str) -> list[str]:
        if label in twins:
            return []
        none = [label_of_none] if student[label] == spec.student_of(plain) else []
        return [*none, *(twin for twin in twins if student[twin] == student[label])]

    several = spec.aim is not None and len(set(student.values())) > 1
    order = list(ranked) if several or len(ranked) <= spec.finalists else different_first(ranked, answers, baselines)
    chosen: list[str] = []
    kept = dict[str, None]()  # students that only a baseline stands for so far: each has a place
    for label in order:
        free = spec.finalists - len(chosen) - len(kept)
        if label in twins:
            if free and student[label] not in {student[other] for other in chosen}:
                kept[student[label]] = None
        elif student[label] in kept:
            del kept[student[label]]
            chosen.append(label)
        elif free:
            chosen.append(label)
    students = dict.fromkeys(student[label] for label in ranked if label in chosen or student[label] in kept)
    return Picked(tuple(label for label in ranked if label in chosen), tuple(students))
