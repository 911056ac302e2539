"""Which neighbours a text has: the nearest in the teacher's eyes, within thresholds, itself and copies left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from raykd.errors import UserError
from raykd.methods.neighbours import Near, neighbours_of
from raykd.methods.recipe import Scene
from raykd.methods.seen import LOGITS, Need, Seen
from raykd.tasks.encode import Batch
from tests.methods.steps import Stand, pair

ALL = Near(5, 0.0, 0.0)


class Space:
    """Texts of one word each, which the teacher sees at angles (in units of pi) in a plane."""

    def __init__(self, train: list[tuple[int, float]], corpus: list[tuple[int, float]]) -> None:
        self.splits = {"train": train, "corpus": corpus}
        self.asked: list[str] = []

    def scene(self) -> Scene:
        return replace(Stand(pair(4, 2)).scene(), survey=self.survey)

    def survey(self, name: str, needs: Set[Need]) -> Iterator[tuple[Batch, Seen]]:
        assert needs == {Need("cls", 4), LOGITS}
        self.asked.append(name)
        split = self.splits[name]
        for start in range(0, len(split), 2):
            part = split[start : start + 2]
            words = torch.tensor([[2, word, 3, 0] for word, _ in part])
            turned = torch.tensor([[math.cos(math.pi * at), math.sin(math.pi * at)] for _, at in part])
            sizes = torch.tensor([[1.0 + word] for word, _ in part])  # no part of an angle
            logits = torch.tensor([[float(word), -1.0] for word, _ in part])
            rows = torch.arange(start, start + len(part))
            batch = Batch(words, (words != 0).long(), None, torch.zeros(len(part)), rows)
            yield batch, Seen({Need("cls", 4): turned * sizes, LOGITS: logits})

    def near(self, near: Near) -> list[list[int]]:
        """The neighbours of each training text, without the empty places."""
        rows: Tensor = dict(neighbours_of(near).make(self.scene()))["neighbours"]
        assert rows.shape == (len(self.splits["train"]), near.number)
        assert rows.dtype == torch.int64
        return [[row for row in of if row >= 0] for of in rows.tolist()]


PLAIN = Space([(5, 0.0), (6, 0.5)], [(10, 0.4), (11, 0.05), (12, 0.3), (13, 0.02), (14, 0.7)])


@pytest.mark.parametrize(
    ("near", "expected"),
    [
        (Near(2, 0.0, 0.0), [[3, 1], [0, 2]]),
        (Near(5, 0.0, 0.0), [[3, 1, 2, 0, 4], [0, 2, 4, 1, 3]]),
        (Near(2, 0.04, 0.0), [[1, 2], [0, 2]]),
        (Near(3, 0.0, 0.15), [[3, 1], [0]]),
        (Near(3, 0.15, 0.45), [[2, 0], [2, 4, 1]]),
    ],
)
def test_the_nearest_within_the_thresholds(near: Near, expected: list[list[int]]) -> None:
    assert PLAIN.near(near) == expected


def test_a_text_is_no_neighbour_of_itself_and_a_copy_none_of_another() -> None:
    # Word 5 lies a hair beside itself, as a text does that was read in another batch.
    space = Space([(5, 0.0), (6, 0.1)], [(5, 1e-6), (7, 0.2), (7, 0.2000001), (5, 0.0), (8, 0.3)])
    assert space.near(Near(3, 0.0, 0.0)) == [[1, 4], [0, 1, 4]]


def test_the_teachers_answers_are_kept_for_every_text() -> None:
    logits = neighbours_of(ALL).make(PLAIN.scene())["corpus_logits"]
    assert logits.tolist() == [[float(word), -1.0] for word in range(10, 15)]


def test_thresholds_that_leave_nothing_are_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match=r"min_distance 0\.0 and max_distance 0\.01 .* are 0\.020 to 0\.700 away"):
        PLAIN.near(Near(5, 0.0, 0.01))


def test_the_key_says_all_it_depends_on() -> None:
    keys = {neighbours_of(near).key for near in (ALL, Near(4, 0, 0), Near(5, 0.1, 0), Near(5, 0, 0.1))}
    assert len(keys) == 4
    assert neighbours_of(ALL).key == neighbours_of(Near(5, 0.0, 0.0)).key
