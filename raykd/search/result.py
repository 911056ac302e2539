"""The tables at the end of a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optuna.trial import TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raykd.models.cost import Cost
from raykd.report import words
from raykd.report.contenders import Contender
from raykd.report.front import pareto
from raykd.report.significance import Summary
from raykd.report.tables import flops_text, time_text
from raykd.search.display import settings_text
from raykd.search.entry import Entry
from raykd.search.finals import BASELINE, is_rival, plain_of
from raykd.search.found import splits_of
from raykd.search.read_story import kind_of
from raykd.search.sweep import SweepResult


def print_result(result: SweepResult, console: Console) -> None:
    """Teacher, undistilled student, best student; what fresh seeds say; where the student and its page lie."""
    spec, found = result.spec, result.found
    console.print()
    console.print(_search(result))
    if len(spec.costs) > 1:
        console.print()
        console.print(_students(result))
        console.print(f"latency: {spec.costs_of}", markup=False)
    states = Counter(entry.state.name.lower() for entry in result.entries)
    console.print("trials: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    if found.contenders:
        console.print()
        console.print(_finals(result))
        for sentence in result.said:
            console.print(sentence, markup=False)
    elif found.best is None:
        kept = "" if found.champion is None else ": the undistilled student is kept as champion"
        console.print(f"no distilled trial completed{kept}")
    elif found.champion is found.baseline:
        console.print("no distilled student beat the undistilled one: the undistilled one is kept as champion")
    elif spec.aim is not None and found.champion is not None:
        console.print(f"by the aim, {spec.aim}, {found.champion.label} is kept as champion", markup=False)
    if result.student is not None:
        console.print(f"student: {result.student}", markup=False)
    if result.report is not None:
        console.print(f"report:  {result.report}", markup=False)


def _search(result: SweepResult) -> Table:
    """The search's own scores: one run each."""
    spec, found = result.spec, result.found
    selecting, reporting = splits_of(spec)
    splits = list(dict.fromkeys((selecting, reporting)))
    known = ["latency"] if spec.costs else []
    table = _table(f"{spec.name}: {spec.task.primary}", "", *splits, "parameters", *known, "what")
    blank = [""] * (len(splits) - 1)
    teacher = _costs(spec.teacher_parameters, spec.teacher_cost, known)
    table.add_row("teacher", *blank, f"{spec.teacher_score:.4f}", *teacher, escape(spec.teacher_name))

    def row(name: str, entry: Entry | None, what: str) -> None:
        if entry is not None and entry.score is not None:
            scores = {reporting: found.reported.get(entry.label), selecting: entry.score}
            costs = _costs(spec.parameters_of(entry.settings), spec.cost_of(entry.settings), known)
            student = spec.student_of(entry.settings)
            shown = [words.score(scores[split]) for split in splits]
            table.add_row(name, *shown, *costs, escape(f"{student}, {what}"))

    if (baseline := found.baseline) is not None:
        row("student, undistilled", baseline, f"same budget, {settings_text(baseline.settings)}")
    if (best := found.best) is not None:
        row("best student", best, f"{best.label}: {settings_text(best.settings)}")
    if (champion := found.champion) not in (best, baseline) and champion is not None and not found.contenders:
        row("by the aim", champion, f"{champion.label}: {settings_text(champion.settings)}")
    return table


def _costs(parameters: int, cost: Cost | None, known: Sequence[str]) -> list[str]:
    """The cells of what a network costs; `known`: those beside its size."""
    return [words.size(parameters), *(time_text(None if cost is None else cost.latency) for _ in known)]


def _students(result: SweepResult) -> Table:
    """Those that were searched, the smallest first: the best of each, and whether it is on the Pareto fronts."""
    spec, selecting = result.spec, splits_of(result.spec)[0]
    best: dict[str, float] = {}
    for entry in result.entries:
        if entry.state is TrialState.COMPLETE and entry.score is not None and kind_of(entry.label) == "search":
            student = spec.student_of(entry.settings)
            best[student] = max(entry.score, best.get(student, entry.score))
    small = pareto((spec.costs[one].parameters, score, one) for one, score in best.items())
    quick = pareto((spec.costs[one].latency, score, one) for one, score in best.items())
    table = _table("the best trial of each student", "", selecting, "parameters", "FLOPs", "latency", "on the front of")
    for one, cost in sorted(spec.costs.items(), key=lambda item: item[1].parameters):
        fronts = [name for name, front in (("parameters", small), ("latency", quick)) if one in front]
        prices = (words.size(cost.parameters), flops_text(cost.flops), time_text(cost.latency))
        table.add_row(escape(one), words.score(best.get(one)), *prices, ", ".join(fronts))
    return table


def _finals(result: SweepResult) -> Table:
    """The same configurations on fresh seeds: what to believe."""
    selecting, reporting = splits_of(result.spec)
    title = (
        f"on {result.spec.final_seeds} fresh seeds: mean ± standard deviation; points and corrected p on {reporting}"
    )
    spec, several = result.spec, len(result.spec.costs) > 1
    table = _table(title, "", selecting, reporting, "over none", "over kd", "promised")
    for one in result.found.contenders:
        means = [_mean(summary) for summary in (one.select, one.report)]
        against = [_against(one, name) for name in (BASELINE, "kd")]
        name = _name(one.name) + f" {escape(spec.student_of(one.settings))}" * several
        table.add_row(name, *means, *against, words.score(one.promised))
    return table


def _mean(of: Summary) -> str:
    return f"{of.mean:.4f}" + (f" ± {of.std:.4f}" if of.std is not None else "")


def _against(one: Contender, other: str) -> str:
    if other not in one.against:
        return ""
    found = one.against[other]
    return f"{words.points(found.difference).removesuffix(' points')} {words.chance(found.p).replace(' ', '')}"


def _name(name: str) -> str:
    if not is_rival(name):
        return name
    return "none" if plain_of(name) == BASELINE else plain_of(name)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading != "what")
    return table
