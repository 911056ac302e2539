"""Matched layers: every strategy, and what is refused."""

from __future__ import annotations

import math

import pytest

from raykd.losses import align_layers

PAIRS = [(teacher, student) for teacher in range(1, 14) for student in range(1, 14)]


def test_the_published_example() -> None:
    assert align_layers(12, 4) == ((0, 3, 6, 9, 12), (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("emb+skip", ((0, 5, 10), (0, 2, 4))),
        ("final", ((10,), (4,))),
        ("emb", ((0,), (0,))),
        ("emb+final", ((0, 10), (0, 4))),
        ("triple", ((0, 5, 10), (0, 2, 4))),
    ],
)
def test_strategies(strategy: str, expected: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert align_layers(10, 4, strategy) == expected


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_skip_keeps_the_ends_and_the_proportion(teacher: int, student: int) -> None:
    ours, theirs = align_layers(teacher, student)
    assert len(ours) == len(theirs) == math.gcd(teacher, student) + 1
    assert (ours[-1], theirs[-1]) == (teacher, student)
    assert all(t * student == s * teacher for t, s in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_attention_skip_or_a_refusal_that_names_the_range(teacher: int, student: int) -> None:
    if teacher % student:
        with pytest.raises(ValueError, match=rf"a student of (1, .*)?{teacher} layers can"):
            align_layers(teacher, student, "att_skip")
        return
    ours, theirs = align_layers(teacher, student, "att_skip")
    assert theirs == tuple(range(student))
    assert ours == tuple(k * teacher // student for k in range(student))


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"emb\+skip, final"):
        align_layers(12, 6, "skip")
    with pytest.raises(ValueError, match="student with 0 layers"):
        align_layers(12, 0)
