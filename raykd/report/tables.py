"""The tables of a report: results, cost, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from raykd.report import words
from raykd.report.contenders import Contender
from raykd.report.saved import Saved, saved_of
from raykd.report.sentences import interval
from raykd.report.story import UNDISTILLED, Network, Run, Story, plain_of

FAILURES = 100  # that are listed


@dataclass(frozen=True)
class Row:
    """A line of the result table; cells by column, each a number and what stands below it. mark: "champion", "teacher"
    or nothing."""

    name: str
    what: str
    cells: dict[str, tuple[str, str]]
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """columns: those in which some row has anything to show."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Cost:
    """Seconds. kinds: (what, runs, seconds of training) each; teacher: what storing its answers took this sweep; saved:
    what the stopped trials would have taken; store: what the store saved, in words."""

    kinds: tuple[tuple[str, int, float], ...]
    total: float
    stopped: int
    saved: float
    teacher: float = 0.0
    store: str = ""


@dataclass(frozen=True)
class Failures:
    """The runs that failed; left_out: how many more there are."""

    runs: tuple[Run, ...] = field(default=())
    left_out: int = 0


def results(story: Story) -> Table:
    """Teacher, baselines and finalists; without finals the undistilled student and the best trial, once each."""
    report, select = f"{story.metric} on {story.reporting}", f"{story.metric} on {story.selecting}"
    scores = story.teacher.scores
    cells = {report: (words.score(scores.get(story.reporting)), "")}
    if select != report:
        cells["confirmed" if story.contenders else select] = (words.score(scores.get(story.selecting)), "")
    cells |= _costs(story.teacher)
    rows = [Row("teacher", story.teacher.name, cells, "teacher")]
    if story.floor is not None:
        rows.append(Row("no model", story.floor.answer, {report: (words.score(story.floor.score), "")}))
    baselines = {name for one in story.contenders for name in one.against} | {UNDISTILLED}  # of whichever student
    ordered = sorted(story.contenders, key=lambda one: plain_of(one.name) not in baselines)  # of either the best first
    saved = saved_of(story)
    for one in ordered:
        rows.append(_contender(story, one, report, plain_of(one.name) in baselines))
        if saved is not None and saved.means and rows[-1].mark:
            rows.append(_saved(saved, report, "confirmed"))
    if not ordered:
        standing = [run for run in story.runs if run.label == story.chosen]
        shown = {run.label: run for run in [*story.of("baseline"), story.best, *standing] if run is not None}
        rows += [_once(story, run, report, select) for run in shown.values()]
    found = dict.fromkeys(name for row in rows for name, cell in row.cells.items() if cell[0] != words.NONE)
    fullest = sorted(rows, key=lambda row: -len(row.cells))
    columns = [name for row in fullest for name in row.cells if name in found]
    return Table(tuple(dict.fromkeys(columns)), tuple(rows))


def _saved(saved: Saved, report: str, select: str) -> Row:
    """The run of the champion that is kept."""
    cells = {report: (words.score(saved.score), "")}
    if saved.selecting != saved.reporting:
        cells[select] = (words.score(saved.scores[saved.selecting]), "")
    return Row(f"{saved.label} (saved)", "the run of the champion whose student is kept", cells)


def _contender(story: Story, one: Contender, report: str, baseline: bool) -> Row:
    cells = {report: (words.score(one.report.mean), interval(one.report))}
    cells["std"] = (words.score(one.report.std), "")
    for name, found in one.against.items():
        if name != one.name:
            title = f"against {'undistilled' if name == UNDISTILLED else name}"
            cells[title] = (words.hundredths(found.difference), words.chance(found.p))
    cells["promised"] = (words.score(one.promised), "")
    cells["confirmed"] = (words.score(one.select.mean), "")
    cells["seeds"] = (str(one.report.count), "")
    cells |= _costs(story.network(one.name))
    champion = story.champion is not None and one.name == story.champion.name
    name = "undistilled" if plain_of(one.name) == UNDISTILLED else plain_of(one.name)
    name += f" ({', '.join(one.trials)})" if one.trials else ""
    if baseline and len(story.students) > 1:
        name += f", {story.network(one.name).name}"
    return Row(name, words.settings(one.settings), cells, "champion" if champion else "")


def _once(story: Story, run: Run, report: str, select: str) -> Row:
    """One run without finals."""
    cells = {report: (words.score(story.result(run, story.reporting)), "")}
    if select != report:
        cells[select] = (words.score(story.result(run, story.selecting)), "")
    cells |= _costs(story.network(run.label))
    best = story.best is not None and run.label == story.best.label
    name = "undistilled" if run.kind == "baseline" else run.label + ", best of the search" * best
    chosen = run.kind != "baseline" and run.label == story.chosen
    return Row(name, words.settings(run.settings), cells, "champion" if chosen else "")


def _costs(of: Network) -> dict[str, tuple[str, str]]:
    """The cells of what a network costs."""
    flops = "" if of.flops is None else f"{flops_text(of.flops)}FLOPs"
    return {"parameters": (words.size(of.parameters), flops), "latency": (time_text(of.latency), faster(of.speedup))}


def faster(speedup: tuple[float, float, float] | None) -> str:
    """``2.7 times as fast (2.6 to 2.8)``; nothing where that is not known."""
    return "" if speedup is None else "{:.1f} times as fast ({:.1f} to {:.1f})".format(*speedup)


def flops_text(flops: int | None) -> str:
    """``1.4 G``."""
    if flops is None:
        return words.NONE
    return f"{flops / 1e9:,.1f} G" if flops >= 1e9 else f"{flops / 1e6:,.1f} M"


def time_text(milliseconds: float | None) -> str:
    """``12.3 ms``."""
    if not words.known(milliseconds):
        return words.NONE
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def cost(story: Story) -> Cost | None:
    """What was spent, and saved by stopping trials; None where no time was measured."""
    names = (("search", "search"), ("finals", "final"), ("baseline", "baseline"))
    kinds = [(name, [run for run in story.runs if run.kind == kind and run.seconds > 0]) for name, kind in names]
    spent = tuple((name, len(runs), sum(run.seconds for run in runs)) for name, runs in kinds if runs)
    if not spent:
        return None
    stopped = [run for run in story.of("search") if run.state == "pruned" and run.progress]
    teacher = story.stored.seconds if story.stored is not None else 0.0
    total = teacher + sum(seconds for _, _, seconds in spent)
    return Cost(spent, total, len(stopped), sum(map(_left, stopped)), teacher, store(story))


def store(story: Story) -> str:
    """What it saved that trials read the teacher's answers from a store; nothing where there was none."""
    stored = story.stored
    if stored is None:
        return ""
    found = "Trials read the teacher's answers as an earlier sweep had stored them."
    if stored.asked:
        rows = words.many(stored.asked, "row")
        found = f"The teacher answered {rows} once, in {words.time(stored.seconds)}, and trials read its answers."
    if stored.live:
        return f"{found} Part of what was wanted is not stored and was asked live: what this saved is not known."
    if stored.pace is None:
        return f"{found} How long the teacher had taken was not noted: what this saved is not known."
    epochs = sum(run.taught for run in story.runs)
    live = epochs * stored.rows * stored.pace / story.workers
    saved = live - stored.seconds
    if saved <= 0:
        return f"{found} Asked live it would have taken about {words.time(live)}: storing has not paid off so far."
    more = f"{words.time(saved)} more" if stored.asked else words.time(saved)
    return f"{found} Asked live, the {_epochs(epochs)} of trials that learn from it would have taken it about {more}."


def _epochs(count: float) -> str:
    return f"{count:,.0f} epochs" if count >= 10 else f"{count:.2g} epochs"


def _left(run: Run) -> float:
    """What the rest of a run would have taken at the pace of its start."""
    done = run.progress[-1]
    return run.seconds * (1 - done) / done if 0 < done < 1 else 0.0


def failures(runs: Sequence[Run]) -> Failures:
    """Those that failed, the first ones by name."""
    failed = [run for run in runs if run.state == "fail"]
    return Failures(tuple(failed[:FAILURES]), max(0, len(failed) - FAILURES))
