"""One page, one truth: what speaks of the same thing is the same number, in tables, in sentences, in figures, on the
command line and in MLflow."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raykd.report import words
from raykd.report.note import note
from raykd.report.page import render
from raykd.report.saved import saved_of
from raykd.report.story import Story
from raykd.report.verdict import verdict
from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.scores import metrics_of, tags_of
from raykd.search.spec import SweepSpec
from raykd.search.sweep import SweepResult
from raykd.train.config import TaskSpec
from tests.report.ledgers import CLASSES, COLA, concluded, printed, run, space, spec_of
from tests.report.test_page import Page

ROWS = 30
SKILL = {"baseline": 0.55, "kd": 0.6, "t0000": 0.62, "t0001": 0.72, "t0002": 0.68}


class Tables(Page):
    """A page's tables as lists of rows of cells, and the text of each."""

    def __init__(self, source: str) -> None:
        self.tables: list[list[list[str]]] = []
        super().__init__(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            self.tables[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if "table" in self._within and ("td" in self._within or "th" in self._within):
            self.tables[-1][-1][-1] += f" {data.strip()}"

    def table(self, heading: str) -> list[list[str]]:
        """The first table that has this heading, without the blanks around its cells."""
        found = next(table for table in self.tables if any(heading in cell for cell in table[0]))
        return [[" ".join(cell.split()) for cell in row] for row in found]


def answer(label: str, split: str, labels: np.ndarray) -> np.ndarray:
    """Right as often as the configuration is good, another row each time."""
    name = label.rpartition("-s")[0] or label
    chance = np.random.default_rng(sum(f"{label}/{split}".encode()) * 7)
    return np.where(chance.random(len(labels)) < SKILL[name], labels, 1 - labels).astype(np.uint8)


@pytest.fixture(params=[CLASSES, COLA], ids=["accuracy", "matthews"])
def sweep(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SweepSpec, Story, SweepResult]:
    """Three finalists at most and both baselines on three seeds, thirty rows to select by and thirty to report."""
    task: TaskSpec = request.param
    labels = {name: np.arange(ROWS) % 2 for name in ("select", "dev")}
    spec = spec_of(tmp_path, task, labels, final_seeds=3)
    ledger = Ledger(Journal(tmp_path / "sweep"), spec, space(), "trials")
    run(ledger, task, labels, answer)
    story, result = concluded(spec, ledger)
    teacher = {"dev": np.where(np.arange(ROWS) % 7, labels["dev"], 1 - labels["dev"]).astype(np.uint8)}
    return spec, dataclasses.replace(story, teacher_answers=teacher), result


def number(text: str) -> float:
    return float(text.replace(words.MINUS, "-").replace(",", "").rstrip("%"))


def test_the_headline_is_the_mean_of_the_answers(sweep: tuple[SweepSpec, Story, SweepResult]) -> None:
    """Counts over rows and seeds, the table of classes and the figures all come to the same share of right answers;
    with accuracy that is the headline."""
    _, story, _ = sweep
    page = Tables(render(story))
    champion = story.champion
    assert champion is not None
    runs = story.finals(champion.name)
    assert len(runs) == 3
    right = sum(int(row) for one in runs for row in one.answers["dev"] == story.labels["dev"])
    cross = page.table("teacher right")
    both, student, alone, neither = (int(number(cell)) for cell in (*cross[1][1:], *cross[2][1:]))
    assert both + student == right
    assert both + student + alone + neither == ROWS * 3
    teacher = sum(int(row) for row in story.teacher_answers["dev"] == story.labels["dev"])
    assert both + alone == 3 * teacher
    assert (
        f"{ROWS * 3} answers to {ROWS} rows, as each of 3 runs answers every row; {right / ROWS / 3:.4f}" in page.text
    )
    by_class = page.table("class")
    wrong = sum(int(number(row[1])) * number(row[2]) / 100 for row in by_class[1:])
    assert wrong == pytest.approx(ROWS - right / 3, abs=0.02)
    bars = page.figures["by-class"]["data"][0]
    assert np.asarray(bars["x"]).tolist() == pytest.approx([number(row[2]) for row in by_class[1:]], abs=0.05)
    if story.metric == "accuracy":
        assert champion.report.mean == pytest.approx(right / ROWS / 3)
        assert words.score(right / ROWS / 3) in verdict(story).headline


def test_the_tables_sentences_and_figures_agree(sweep: tuple[SweepSpec, Story, SweepResult]) -> None:
    _, story, result = sweep
    page, text = Tables(render(story)), printed(result)
    results = page.table(f"{story.metric} on dev")
    column = {name: place for place, name in enumerate(results[0])}
    rows = {row[0].split()[0]: row for row in results[1:]}
    said = " ".join(verdict(story).sentences)
    for one in story.contenders:
        row = rows[{"baseline": "undistilled"}.get(one.name, one.name)]
        mean = row[column[f"{story.metric} on dev"]].split()[0]
        assert mean == words.score(one.report.mean)
        line = next(line for line in text.splitlines() if line.startswith({"baseline": "none"}.get(one.name, one.name)))
        assert f"{one.select.mean:.4f} " in line
        assert f"{one.report.mean:.4f} " in line
        assert row[column["confirmed"]].split()[0] == words.score(one.select.mean)
        for name, found in one.against.items():
            cell = row[column[f"against {'undistilled' if name == 'baseline' else name}"]].split()[0]
            other = next(each for each in story.contenders if each.name == name)
            assert number(cell) == pytest.approx(100 * (one.report.mean - other.report.mean), abs=0.051)
            assert cell == words.hundredths(found.difference)
            assert f"{cell} {words.chance(found.p).replace(' ', '')}" in line
    champion = story.champion
    assert champion is not None
    for found in champion.against.values():
        assert words.points(found.difference) in said
    assert words.score(champion.report.mean) in said
    dots = [trace for trace in page.figures["finals"]["data"] if trace["name"] == champion.name]
    ends = [score for place, score in zip(dots[0]["x"], dots[0]["y"], strict=True) if place == 100]
    assert np.mean(ends) == pytest.approx(champion.select.mean)


def test_the_saved_model_has_its_own_score_everywhere(sweep: tuple[SweepSpec, Story, SweepResult]) -> None:
    spec, story, result = sweep
    saved, champion = saved_of(story), story.champion
    assert saved is not None
    assert champion is not None
    assert saved.label.startswith(f"{champion.name}-s")
    run_ = next(run for run in story.runs if run.label == saved.label)
    own = {split: run_.metrics[f"{split}/{story.metric}"] for split in ("select", "dev")}
    assert dict(saved.scores) == own
    assert own["select"] == max(one.score or 0.0 for one in story.finals(champion.name))
    assert saved.means == {"select": champion.select.mean, "dev": champion.report.mean}
    assert own["dev"] != saved.means["dev"]
    page = Tables(render(story))
    row = next(row for row in page.table(f"{story.metric} on dev") if row[0].startswith(saved.label))
    assert words.score(own["dev"]) in row
    assert words.score(own["select"]) in row
    figure = f"the saved model, {saved.label}, on dev {words.score(own['dev'])}"
    assert figure in page.text
    both = f"{words.score(own['dev'])} on dev and {words.score(own['select'])} on select itself"
    means = f"{words.score(saved.means['dev'])} on dev and {words.score(saved.means['select'])} on select"
    sentence = (
        f"The saved model is {saved.label}, of 3 runs on fresh seeds the best on select: {both}; the mean of these"
    )
    for told in (page.text, note(story), printed(result)):
        plain = " ".join(told.replace("\\", "").split())
        assert f"{sentence} runs is {means}." in plain
    last = printed(result).splitlines()
    place = next(index for index, line in enumerate(last) if line.startswith("saved:"))
    alone, mean = (
        f"{words.score(scores['dev'])} on dev, {words.score(scores['select'])} on select"
        for scores in (own, saved.means)
    )
    assert last[place] == f"saved:   run {saved.label}, {story.metric} {alone}"
    assert last[place + 1] == f"mean:    of its 3 seeds, {mean}"
    assert last[place + 2] == "student: x/champion"
    metrics = metrics_of(spec, result.found, saved)
    assert {name: value for name, value in metrics.items() if "/" in name} == pytest.approx(
        {"saved/select": own["select"], "saved/dev": own["dev"], "mean_over_seeds/select": saved.means["select"],
         "mean_over_seeds/dev": saved.means["dev"]}
    )  # fmt: skip
    tags = tags_of(saved)
    assert (tags["raykd.trial"], tags["raykd.seeds"]) == (saved.label, "3")
    assert [float(tags[f"raykd.{name}"]) for name in ("score", "score_select", "mean", "mean_select")] == pytest.approx(
        [own["dev"], own["select"], saved.means["dev"], saved.means["select"]], abs=1e-6
    )
    assert result.found.champion is not None
    assert result.found.champion.label == saved.label
    assert result.saved == saved


def test_no_interval_on_the_page_leaves_the_range(sweep: tuple[SweepSpec, Story, SweepResult]) -> None:
    _, story, _ = sweep
    low, high = (0, 1) if story.metric == "accuracy" else (-1, 1)
    page = Page(render(story))
    found = re.findall(rf"({words.MINUS}?\d\.\d{{4}}) to ({words.MINUS}?\d\.\d{{4}})", page.text)
    assert found
    for pair in found:
        assert all(low <= number(end) <= high for end in pair), pair
    points = re.findall(rf"interval ([+{words.MINUS}]\d+\.\d) to ([+{words.MINUS}]\d+\.\d)", page.text)
    assert all(abs(number(end)) <= 100 * (high - low) for pair in points for end in pair)


def made(tmp_path: Path, skills: dict[str, Any], **more: Any) -> tuple[Story, SweepResult]:
    """A sweep whose runs have so many of 20 answers right, by label or else by configuration."""
    labels = {name: np.arange(20) % 2 for name in ("select", "dev")}
    spec = spec_of(tmp_path, CLASSES, labels, **more)
    ledger = Ledger(Journal(tmp_path / "sweep"), spec, space(), "trials")

    def told(label: str, split: str, of: np.ndarray) -> np.ndarray:
        count = skills.get(label, skills.get(label.rpartition("-s")[0], 10))
        own = count[0 if split == "select" else 1] if isinstance(count, tuple) else count
        return np.where(np.arange(20) < own, of, 1 - of).astype(np.uint8)

    run(ledger, CLASSES, labels, told)
    return concluded(spec, ledger)


def test_equals_are_named(tmp_path: Path) -> None:
    """Two finalists with the same mean on select, and two runs of the one with the same score."""
    story, result = made(
        tmp_path, {"t0000": 14, "t0001": 15, "t0000-s1": (16, 15), "t0000-s2": (16, 18), "t0001-s1": 17, "t0001-s2": 15}
    )
    assert story.champion is not None
    assert story.champion.name == "t0001"
    said = " ".join(verdict(story).sentences)
    assert (
        "t0001 and t0000 score the same on select, 0.8000; the champion is t0001, which the search had ahead." in said
    )
    assert result.saved is not None
    assert (result.saved.label, result.saved.ties) == ("t0001-s1", ())
    story, result = made(tmp_path / "2", {"t0000": 15, "t0000-s1": (16, 15), "t0000-s2": (16, 18)})
    said = printed(result)
    assert "t0000-s1 and t0000-s2 score the same on select; the first of them is saved." in said
    assert "saved:   run t0000-s1, accuracy 0.7500 on dev, 0.8000 on select" in said
    assert "mean:    of its 2 seeds, 0.8250 on dev, 0.8000 on select" in said


def test_a_baseline_as_good_is_simpler_and_nobody_promised_it(tmp_path: Path) -> None:
    story, result = made(tmp_path, {"t0000": 14, "kd": 14, "baseline": (12, 12)})
    assert story.champion is not None
    assert story.champion.name == "kd"
    said = printed(result)
    assert "Plain kd and t0000 score the same on select, 0.7000; the champion is plain kd, which is simpler." in said
    assert "Winner's curse" not in said
    assert "promised by the search" not in Page(render(story)).text
    story, result = made(tmp_path / "none", {"baseline": 18})
    assert result.found.champion is not None
    assert result.found.champion.label == "baseline-s1"
    assert "Winner's curse" not in printed(result)
    chosen, _ = made(tmp_path / "chosen", {"t0000": 14, "t0001": 13, "t0000-s1": 15, "t0000-s2": 15})
    assert "Winner's curse: on select the search promised 0.7000 and fresh seeds confirmed 0.7500" in " ".join(
        verdict(chosen).sentences
    )


def test_equals_of_a_search_without_finals_are_named(tmp_path: Path) -> None:
    _, result = made(tmp_path, {"t0001": 14, "t0002": 14}, finalists=0)
    said = printed(result)
    assert "t0001 and t0002 score the same on select, 0.7000; the first of them is named." in said
    assert "saved:   run t0001, accuracy 0.7000 on dev, 0.7000 on select" in said
    assert "mean:" not in said


@pytest.mark.parametrize(("skills", "warned"), [
    ({"t0000": 12, "t0000-s1": (15, 10), "t0000-s2": (14, 14)}, "t0000-s1, scores 0.5000 accuracy: no better than"),
    ({"t0000": 12, "t0000-s1": (15, 11), "t0000-s2": (14, 9)}, "The mean over seeds of the saved model, t0000-s1, is"),
    ({"t0000": 12, "t0000-s1": (15, 11), "t0000-s2": (14, 10)}, ""),
])  # fmt: skip
def test_no_alias_for_what_is_no_better_than_one_answer(tmp_path: Path, skills: dict[str, Any], warned: str) -> None:
    story, result = made(tmp_path, skills)
    assert story.floor is not None
    assert (story.floor.score, story.floor.answer) == (0.5, "always saying 'yes'")
    assert result.saved is not None
    assert bool(result.saved.warning) is bool(warned)
    if warned:
        text = printed(result)
        assert warned in text
        assert "always saying 'yes', which scores 0.5000 on dev" in text
        assert "not registered as champion" in text
        assert result.saved.warning in Page(render(story)).text
        assert "not registered as champion" in note(story)
    nothing = story.champion is not None and story.champion.report.mean <= 0.5
    assert verdict(story).headline.startswith("Nothing was learnt") is nothing


def test_a_score_that_is_no_number_earns_no_alias(tmp_path: Path) -> None:
    story, result = made(tmp_path, {"t0000": 14}, finalists=0)
    runs = [
        dataclasses.replace(run, metrics={**run.metrics, "dev/accuracy": float("nan")}) if run.label == "t0000" else run
        for run in story.runs
    ]
    saved = saved_of(dataclasses.replace(story, runs=runs))
    assert saved is not None
    assert saved.score is None
    assert "t0000, has no score on dev: it is not registered" in saved.warning
    assert "raykd.score" not in tags_of(saved)
    assert "saved/dev" not in metrics_of(result.spec, result.found, saved)


def test_a_configuration_that_is_kd_is_shown_once(tmp_path: Path) -> None:
    labels = {name: np.arange(20) % 2 for name in ("select", "dev")}
    spec = spec_of(tmp_path, CLASSES, labels)
    whole = space()
    temperature = dataclasses.replace(whole.dimensions[1], values=(2, 9))
    own = dataclasses.replace(
        whole, dimensions=(whole.dimensions[0], temperature), start=({"temperature": 2}, *whole.start)
    )
    ledger = Ledger(Journal(tmp_path / "sweep"), spec, own, "trials")
    good = {"t0000": 17, "kd": 16, "t0001": 13, "t0002": 12}

    def told(label: str, split: str, of: np.ndarray) -> np.ndarray:
        count = good.get(label.rpartition("-s")[0] or label, 9)
        return np.where(np.arange(20) < count, of, 1 - of).astype(np.uint8)

    run(ledger, CLASSES, labels, told)
    story, result = concluded(spec, ledger)
    assert {one.name: one.trials for one in story.contenders} == {
        "kd": ("t0000",), "t0001": (), "t0002": (), "baseline": (),
    }  # fmt: skip
    text, page = printed(result), Page(render(story)).text
    assert "kd (t0000) " in text
    assert "t0000 " not in text.split("fresh seeds: mean")[1].split("beats")[0].replace("kd (t0000) ", "")
    assert verdict(story).headline.startswith("Plain kd (t0000)")
    assert "Winner's curse: on select the search promised 0.8500 and fresh seeds confirmed 0.8000" in text
    assert "kd (t0000)" in page
    assert result.saved is not None
    assert result.saved.label == "kd-s1"
