"""What the finals of a sweep over several students say: each configuration against the baselines of its own student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from raykd.report.contenders import TIE, Contender
from raykd.report.story import Run
from raykd.search.contest import contest
from raykd.search.finals import is_rival, plain_of
from raykd.search.spec import SweepSpec


def contests(
    spec: SweepSpec, runs: Sequence[Run], labels: Mapping[str, np.ndarray], selecting: str, reporting: str
) -> list[Contender]:
    """As `contest`, for each student apart; all of them, the best first: of equals the baselines, which are simpler,
    then whom the search had ahead. `against` names plain baselines, which are those of the contender's own student.

    p is corrected over a student's comparisons (Holm), and then for the number of students (Bonferroni), so that it is
    no likelier than the level that any of all is a false one.
    """
    ran = [run for run in runs if run.kind == "final"]
    students = dict.fromkeys(spec.student_of(run.settings) for run in ran)
    found: list[Contender] = []
    for student in students:
        own = [run for run in runs if run.kind == "search" or spec.student_of(run.settings) == student]
        names = {plain_of(run.configuration): run.configuration for run in own if run.kind == "final"}
        plain = [_plain(run) for run in own]
        for one in contest(spec, plain, labels, selecting, reporting):
            against = {name: replace(of, p=min(1.0, of.p * len(students))) for name, of in one.against.items()}
            found.append(replace(one, name=names[one.name], against=against))
    return sorted(found, key=_rank)


def _rank(contender: Contender) -> tuple[float, bool, float]:
    own = not is_rival(contender.name)
    promised = contender.promised if own and contender.promised is not None else 0.0
    return -round(contender.select.mean, TIE), own, -promised


def _plain(run: Run) -> Run:
    if run.kind != "final" or not is_rival(run.configuration):
        return run
    return replace(run, label=f"{plain_of(run.configuration)}-s{run.label.rpartition('-s')[2]}")
