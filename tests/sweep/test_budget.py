"""A sweep with a time budget too short for its trials: the champion is confirmed all the same."""

from __future__ import annotations

import pytest

from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space_keep import kept
from raykd.search.spec import SweepSpec
from tests.sweep.conftest import Place

pytestmark = [pytest.mark.slow, pytest.mark.long]


def book(place: Place, name: str) -> Ledger:
    folder = place.sweep(name)
    return Ledger(Journal(folder), SweepSpec.read(folder), kept(folder), str(folder / "trials"))


def test_the_finals_have_their_time(place: Place) -> None:
    name, many = "short", 1000
    asked = ["--trials", str(many), "--finalists", "1", "--final-seeds", "1", "--sampler", "random"]
    output = place.run("tune", *place.arguments, *asked, "--time-budget", "40", "--name", name)
    ledger = book(place, name)
    had = ledger.searched
    assert output.count(f"search: closed after {had} of {many} trials, to leave time for the finals") == 1
    assert "not complete" not in output
    assert "over kd" in output  # the table of what fresh seeds say
    assert had < many
    assert ledger.closed
    assert [len(of) for of in ledger.finals().values()] == [1, 1, 1]
    assert (place.sweep(name) / "champion" / "raykd.json").is_file()

    place.run("tune", "--task", "custom", "--name", name, "--resume", "--time-budget", "15")
    assert book(place, name).searched > had
