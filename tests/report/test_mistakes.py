"""What a student gets wrong, beside its teacher and the undistilled run of the same student."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from raykd.report.mistakes import by_class, by_length, judged, versus
from raykd.report.story import Aimed, Network, Run, Story
from tests.report.stories import whole

LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])


def right(label: str, kind: Any, count: int) -> Run:
    """A run with `count` of eight answers right."""
    answers = np.where(np.arange(8) < count, LABELS, 1 - LABELS)
    return Run(label, kind, "complete", {}, [1.0], [count / 8], {}, 1.0, answers={"dev": answers})


def test_mistakes_by_hand() -> None:
    network = Network("n", 1)
    story = Story(
        "s", "rte", "classes", ("yes", "no"), "accuracy", "x", network, network, "dev", "dev",
        runs=[right("baseline", "baseline", 2), right("t0000", "search", 6)],
        labels={"dev": LABELS}, lengths={"dev": np.arange(8)},
        teacher_answers={"dev": np.where(np.arange(8) != 0, LABELS, 1 - LABELS)},
    )  # fmt: skip
    networks = judged(story)
    assert [one.role for one in networks] == ["student", "teacher", "undistilled"]
    assert [(g.name, g.rows, g.errors) for g in by_class(story, networks)] == [
        ("yes", 4, (0.25, 0.25, 0.75)), ("no", 4, (0.25, 0.0, 0.75)),
    ]  # fmt: skip
    lengths = by_length(story, networks)
    assert sum(group.rows for group in lengths) == 8
    assert lengths[0].name.startswith("0")
    assert lengths[-1].errors == (1.0, 0.0, 1.0)
    found = versus(story, networks)
    assert found is not None
    assert (found.both, found.teacher, found.student, found.neither, found.rows) == (5, 2, 1, 0, (6, 7))
    assert versus(dataclasses.replace(story, teacher_answers={}), judged(story)[:1]) is None


def test_mistakes_are_compared_with_those_of_the_same_student() -> None:
    network = Network("n", 1)
    runs = [right("baseline", "baseline", 7), right("t0000", "search", 6)]
    runs += [right(label, "final", count) for label, count in (("baseline-s1", 7), ("baseline@cut-1-s1", 3))]
    runs += [right("t0000-s1", "final", 5)]
    students = ["cut:4", "cut:1", "cut:4", "cut:1", "cut:1"]
    runs = [dataclasses.replace(run, student=student) for run, student in zip(runs, students, strict=True)]
    story = Story(
        "s", "rte", "classes", ("yes", "no"), "accuracy", "x", network, network, "dev", "dev", runs=runs,
        labels={"dev": LABELS}, aimed=Aimed("min latency", "t0000", 0.6),
    )  # fmt: skip
    assert [(one.role, one.wrong.sum()) for one in judged(story)] == [("student", 3), ("undistilled", 5)]
    other = dataclasses.replace(story, aimed=Aimed("min latency", "baseline@cut-1", 0.6))
    assert [(one.role, one.wrong.sum()) for one in judged(other)] == [("undistilled", 5)]
    unfinished = dataclasses.replace(story, runs=runs[:2])  # the other student's undistilled run says nothing of this
    assert [(one.role, one.wrong.sum()) for one in judged(unfinished)] == [("student", 2)]


def test_several_seeds_are_averaged() -> None:
    story = whole(trials=20, rows=100)
    assert story.champion is not None
    student = judged(story)[0]
    mean = 1 - story.champion.report.mean
    assert student.wrong.mean() == pytest.approx(mean)
    assert set(np.round(student.wrong * 3)) <= {0, 1, 2, 3}
