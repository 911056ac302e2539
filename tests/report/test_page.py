"""The page of a sweep: what it says, what it leaves out, that it needs no network, and that no name breaks it."""

from __future__ import annotations

import dataclasses
import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from raykd.models.shape import Shape
from raykd.report import words
from raykd.report.figures import MOST_CURVES, MOST_POINTS
from raykd.report.page import render, write_report
from raykd.report.paper_card import paper_card
from raykd.report.story import Aimed, Network, Story
from tests.report.stories import bare, whole

EVIL = "</script><img src=x onerror=alert(1)>[b] \"q\" 'r' & {{ 7*7 }} $x$ %{y}"


class Page(HTMLParser):
    """A page taken apart as a browser does: elements with their attributes, text, scripts by what they hold."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._within: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._within:
            while self._within.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        within = self._within[-1] if self._within else ""
        if within == "script":
            kind, before = self.scripts[-1]
            self.scripts[-1] = kind, before + data
        elif within != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that a person reads, figures left aside."""
        return " ".join(" ".join(self.words).split())

    @property
    def sections(self) -> list[str]:
        """The ids of the sections."""
        return [str(attributes["id"]) for tag, attributes in self.elements if tag == "section"]

    @property
    def figures(self) -> dict[str, Any]:
        """What plotly draws, by the names of the figures."""
        names = [str(a["id"]) for tag, a in self.elements if tag == "div" and a.get("class") == "plot"]
        held = [json.loads(text) for kind, text in self.scripts if kind.get("type") and kind.get("id") != "themes"]
        return dict(zip(names, held, strict=True))


@pytest.fixture(scope="module")
def story() -> Story:
    """A sweep with everything."""
    return whole(trials=40, rows=400, sizes=(14_350_248, 7_200_000))


@pytest.fixture(scope="module")
def page(story: Story) -> Page:
    """Its page."""
    return Page(render(story))


def test_every_section_in_its_order(page: Page) -> None:
    order = ["results", "learning", "importances", "coordinates", "slices", "sizes", "errors", "cost", "failures"]
    assert page.sections == order
    shown = page.figures
    assert set(shown) >= {"curves", "finals", "importance", "parallel", "front", "by-class", "by-length", "slice-0"}
    assert all(figure["data"] for figure in shown.values())


def test_the_numbers_of_the_finals_are_shown(page: Page, story: Story) -> None:
    champion = story.champion
    assert champion is not None
    assert champion.promised is not None
    for value in (champion.report.mean, champion.report.std, champion.promised, champion.select.mean):
        assert words.score(value) in page.text
    assert words.interval(champion.report.low, champion.report.high) in page.text
    for found in champion.against.values():
        assert f"{words.points(found.difference)}" in page.text
        assert words.chance(found.p) in page.text
    assert "the search promised" in page.text
    assert "14.4 M of 109.5 M parameters" in page.text


def test_students_of_several_sizes_and_what_they_cost() -> None:
    """Fronts by parameters and by latency, costs in the table, and the aim in words."""
    speeds = {14_350_248: ("build:4/312/12/1200", 610_000_000, 9.7), 45_691_394: ("cut:3", 2_800_000_000, 31.0)}
    story = whole(trials=30, sizes=tuple(speeds))
    priced = [(run, *speeds[run.parameters or 0]) for run in story.runs]
    runs = [dataclasses.replace(run, student=name, flops=flops, latency=time) for run, name, flops, time in priced]
    second = story.contenders[1]
    aimed = Aimed("accuracy>=0.9*teacher, min latency", second.name, second.select.mean, 0.6661)
    teacher = dataclasses.replace(story.teacher, flops=11_200_000_000, latency=118.4)
    story = dataclasses.replace(story, runs=runs, teacher=teacher, aimed=aimed, costs_of="one row of 34 tokens")
    page = Page(render(story))
    assert "Latency: one row of 34 tokens." in page.text
    assert "118 ms" in page.text
    assert "610.0 MFLOPs" in page.text
    assert "12.2 times as fast, 9.7 ms a row" in page.text
    assert f"0.6661 on select is asked for, {second.name} has {words.score(second.select.mean)}." in page.text
    assert "undistilled, build:4/312/12/1200" in page.text
    fronts = [trace for trace in page.figures["front"]["data"] if trace["name"] == "Pareto front"]
    assert len(fronts) == 2
    assert fronts[1]["xaxis"] == "x2"
    assert set(np.asarray(fronts[1]["x"]).tolist()) <= {9.7, 31.0}
    missed = dataclasses.replace(story, aimed=dataclasses.replace(aimed, met=False, unknown=("none",)))
    text = Page(render(missed)).text
    assert f"Nobody meets the aim, accuracy>=0.9*teacher, min latency; {second.name} comes nearest" in text
    assert "There is no score of none that the aim could refer to." in text


def test_it_needs_no_network(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "data", "poster", "srcset", "action"):
            assert name not in attributes, (tag, name, attributes[name])
        assert tag not in ("link", "iframe", "object", "embed", "base")
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert sum(len(text) > 1_000_000 for _, text in page.scripts) == 1, "plotly stands in it once"


def test_stopped_trials_are_marked(page: Page, story: Story) -> None:
    stopped = [run for run in story.of("search") if run.state == "pruned"]
    marks = next(trace for trace in page.figures["curves"]["data"] if trace["name"] == "stopped here")
    assert marks["y"] == pytest.approx([run.scores[-1] for run in stopped])
    best = next(trace for trace in page.figures["curves"]["data"] if trace["name"].startswith("best"))
    assert story.best is not None
    assert best["y"][:-1] == pytest.approx(list(story.best.scores))


def test_what_a_sweep_lacks_is_left_out() -> None:
    page = Page(render(bare()))
    assert page.sections == ["results", "learning"]
    assert set(page.figures) == {"curves"}
    assert "0.6100" in page.text
    assert "Nothing was searched yet" in page.text
    for absent in ("champion", "p =", "Failures", "Cost", "promised"):
        assert absent not in page.text
    nothing = dataclasses.replace(bare(), runs=[])
    assert Page(render(nothing)).sections == ["results"]


def test_a_sweep_without_finals_says_what_that_means(story: Story) -> None:
    runs = [run for run in story.runs if run.kind != "final"]
    without = dataclasses.replace(story, contenders=[], runs=runs, selecting="dev", reporting="dev")
    text = Page(render(without)).text
    assert "No configuration has been confirmed on fresh seeds" in text
    assert "dev both selected and reports" in text
    assert story.best is not None
    assert words.score(story.best.score) in text
    assert "95% interval" not in text


def test_a_sweep_under_way_says_so(story: Story) -> None:
    runs = [*story.runs, dataclasses.replace(story.runs[1], label="t0999", state="running", scores=[], progress=[])]
    text = Page(render(dataclasses.replace(story, runs=runs, finals_left=4))).text
    assert "The sweep is not over: 1 run under way" in text
    assert "The finals are not over: 4 runs on fresh seeds to come" in text


def evil(story: Story) -> Story:
    """The same with a hostile name wherever there is one."""
    trials = []
    for trial in story.trials:
        params, kinds = dict(trial.params), dict(trial.distributions)
        params[f"x{EVIL}"], kinds[f"x{EVIL}"] = params.pop("alpha"), kinds.pop("alpha")
        params["method"], kinds["method"] = f"{params['method']}{EVIL}", CategoricalDistribution(
            (f"kd{EVIL}", f"ckd{EVIL}")
        )  # fmt: skip
        value = trial.value
        attributes = {**trial.user_attrs}
        trials.append(
            create_trial(state=trial.state, value=value, params=params, distributions=kinds, user_attrs=attributes)
        )
    runs = [
        dataclasses.replace(run, settings={**run.settings, EVIL: EVIL}, error=EVIL if run.state == "fail" else None)
        for run in story.runs
    ]
    contenders = [dataclasses.replace(one, settings={"method": EVIL, EVIL: EVIL}) for one in story.contenders]
    names = dict.fromkeys(("sweep", "task", "metric", "source", "space"), EVIL)
    networks = {"teacher": Network(EVIL, 9, story.teacher.scores), "student": Network(EVIL, 5)}
    return dataclasses.replace(
        story,
        classes=(f"a{EVIL}", f"b{EVIL}"),
        runs=runs,
        trials=trials,
        contenders=contenders,
        about={EVIL: EVIL},
        **names,  # type: ignore[arg-type]
        **networks,  # type: ignore[arg-type]
    )


def test_hostile_names_stay_names(story: Story, page: Page) -> None:
    hostile = Page(render(evil(story)))
    assert not [tag for tag, _ in hostile.elements if tag in ("img", "b")]
    assert len(hostile.scripts) == len(page.scripts)
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    assert EVIL in hostile.text
    drawn = json.dumps(hostile.figures["by-class"])
    assert "<img" not in drawn
    assert "&lt;img" in drawn, "plotly reads tags in its text"


def test_an_error_of_many_lines_is_cut(story: Story) -> None:
    failed = [dataclasses.replace(run, error="x" * 9000) if run.state == "fail" else run for run in story.runs]
    text = Page(render(dataclasses.replace(story, runs=failed))).text
    assert "x" * 200 in text
    assert "x" * 400 not in text


def test_many_trials_are_thinned_and_that_is_said(tmp_path: Path) -> None:
    many = whole(trials=1000, rows=300)
    started = time.perf_counter()
    path = write_report(many, tmp_path / "deep" / "report.html")
    assert time.perf_counter() - started < 15  # a second and a half on one idle core
    page = Page(path.read_text(encoding="utf-8"))
    assert f"{MOST_CURVES} of 1,000 trials are drawn" in page.text
    assert f"{MOST_POINTS} of " in page.text
    assert path.stat().st_size < 6_500_000
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_numbers_instead_of_classes(story: Story) -> None:
    """STS-B: a distance instead of right and wrong, no classes, no table of four."""
    chance = np.random.default_rng(0)
    labels = chance.uniform(0, 5, 400)

    def near(runs: Any) -> list[Any]:
        answers = {"dev": (labels + chance.normal(0, 0.5, 400)).astype(np.float32)}
        return [dataclasses.replace(run, answers=answers) if run.answers else run for run in runs]

    numbers = dataclasses.replace(
        story, kind="number", classes=(), metric="pearson", labels={"dev": labels}, runs=near(story.runs),
        teacher_answers={"dev": labels.astype(np.float32)},
    )  # fmt: skip
    page = Page(render(numbers))
    assert "by-length" in page.figures
    assert "by-class" not in page.figures
    assert "teacher wrong" not in page.text
    assert "Mean distance from the label" in page.text


def test_published_numbers_beside_ours(story: Story) -> None:
    best = story.contenders[0]
    rows = paper_card("rte", "ckd", Shape(6, 768, 12, 30_522), best.report, metric="accuracy", teacher="bert-base")
    assert rows
    page = Page(render(story, rows))
    assert "papers" in page.sections
    for row in rows:
        assert f"{row.published.value:.1f}" in page.text
        assert row.verdict in page.text
    assert "papers" not in Page(render(story)).sections


def test_published_numbers_of_other_networks_are_folded(story: Story) -> None:
    best = story.contenders[0]
    rows = paper_card("rte", "none", Shape(6, 768, 12, 30_522), best.report, metric="accuracy", teacher=None)
    apart = [row for row in rows if not row.comparable]
    page = Page(render(story, rows))
    assert 0 < len(apart) < len(rows)
    assert f"{len(apart)} that cannot be compared, and why" in page.text
    assert [tag for tag, _ in page.elements if tag in ("details", "summary")] == ["details", "summary"]
    assert "None is of this student" not in page.text
    assert "None is of this student" in Page(render(story, apart)).text


@pytest.mark.parametrize(("names", "read"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_names_in_a_row(names: str, read: str) -> None:
    assert words.listed([*names]) == read
