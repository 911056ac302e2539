"""What the page says of the store of the teacher's answers, and the result in Markdown."""

from __future__ import annotations

import dataclasses

import pytest

from raykd.report.note import note
from raykd.report.page import render
from raykd.report.story import Run, Stored, Story
from raykd.report.tables import cost, store
from tests.report.stories import bare, whole

BUILT = Stored(rows=1000, asked=1000, seconds=120.0, pace=0.1)


def told(stored: Stored | None, *epochs: float, workers: int = 1) -> Story:
    runs = [
        Run(f"t{n:04d}", "search", "complete", {"method": "kd"}, seconds=10.0, taught=e) for n, e in enumerate(epochs)
    ]
    return dataclasses.replace(bare(), runs=runs, stored=stored, workers=workers)


def test_what_the_store_saved() -> None:
    story = told(BUILT, 10.0, 62.0)
    assert store(story) == (
        "The teacher answered 1,000 rows once, in 2 min, and trials read its answers. Asked live, the 72 epochs of "
        "trials that learn from it would have taken it about 2.0 h more."
    )
    spent = cost(story)
    assert spent is not None
    assert (spent.teacher, spent.total) == (120.0, 140.0)
    assert "about 58 min more." in store(told(BUILT, 72.0, workers=2))
    assert store(told(None, 3.0)) == ""


@pytest.mark.parametrize(
    ("stored", "ends"),
    [
        (Stored(1000, 0, 0.0, 0.1), "as an earlier sweep had stored them. Asked live, the 72 epochs"),
        (Stored(1000, 0, 0.0, 0.1), "would have taken it about 2.0 h."),
        (Stored(1000, 0, 0.0, None), "How long the teacher had taken was not noted: what this saved is not known."),
        (dataclasses.replace(BUILT, live=True), "was asked live: what this saved is not known."),
        (dataclasses.replace(BUILT, seconds=9000.0), "storing has not paid off so far."),
    ],
)
def test_nothing_is_made_up(stored: Stored, ends: str) -> None:
    assert ends in store(told(stored, 72.0))


def test_the_page_shows_it() -> None:
    page = render(told(BUILT, 72.0))
    assert "storing the teacher&#39;s answers" in page or "storing the teacher's answers" in page
    assert "would have taken it about 2.0 h" in page
    assert "storing the teacher" not in render(told(None, 72.0))


def test_the_result_in_markdown() -> None:
    story = dataclasses.replace(whole(trials=20), stored=BUILT)
    said = note(story)
    lines = said.splitlines()
    head, rule, *rows = [line for line in lines if line.startswith("|")]
    assert head.startswith("|  | accuracy on dev |")
    assert set(rule) <= set("|:- ")
    assert {line.count(" |") for line in (head, rule, *rows)} == {head.count(" |")}
    assert any("(champion)" in row for row in rows)
    assert "promised" not in head
    assert "learning\\_rate=" in said
    assert "The teacher answered 1,000 rows once" in said


def test_names_do_not_become_markup() -> None:
    story = dataclasses.replace(bare(), metric="a|b\n<img src=x> [c](d)")
    head = next(line for line in note(story).splitlines() if line.startswith("|"))
    assert "a\\|b \\<img src=x\\> \\[c\\](d) on dev" in head
