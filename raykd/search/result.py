"""The tables at the end of a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optuna.trial import TrialState
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from raykd.models.cost import Cost
from raykd.report import words
from raykd.report.contenders import Contender
from raykd.report.front import pareto
from raykd.report.sentences import first_of_equals
from raykd.report.significance import SAME, Summary
from raykd.report.tables import flops_text, time_text
from raykd.search.display import settings_text
from raykd.search.entry import Entry
from raykd.search.finals import BASELINE, is_rival, plain_of
from raykd.search.found import splits_of
from raykd.search.read_story import kind_of
from raykd.search.sweep import SweepResult

WIDE = 10_000  # letters: no table is as wide


def print_result(result: SweepResult, console: Console) -> None:
    """Teacher, undistilled student, best student; what fresh seeds say; where the student and its page lie."""
    spec, found = result.spec, result.found
    console.print()
    _print(console, _search(result))
    if len(spec.costs) > 1:
        console.print()
        _print(console, _students(result))
        console.print(f"latency: {spec.costs_of}", markup=False)
    states = Counter(entry.state.name.lower() for entry in result.entries)
    console.print("trials: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    if found.contenders:
        console.print()
        _print(console, _finals(result))
        for sentence in result.said:
            console.print(sentence, markup=False)
    else:
        for sentence in _unconfirmed(result):
            console.print(sentence, markup=False)
    for line in _saved(result):
        console.print(line, markup=False)
    if result.student is not None:
        console.print(f"student: {result.student}", markup=False)
    if result.report is not None:
        console.print(f"report:  {result.report}", markup=False)


def _unconfirmed(result: SweepResult) -> list[str]:
    """Who is kept of a search that no fresh seed has confirmed, and what speaks against it."""
    spec, found = result.spec, result.found
    said = []
    if found.best is None:
        said.append("no distilled trial completed")
    elif found.champion is found.baseline:
        said.append("no distilled student beat the undistilled one: the undistilled one is kept as champion")
    elif spec.aim is not None and found.champion is not None:
        said.append(f"by the aim, {spec.aim}, {found.champion.label} is kept as champion")
    if found.best is not None and found.best.score is not None:
        done = [one for one in result.entries if one.kind == "search" and one.state is TrialState.COMPLETE]
        equal = [one.label for one in done if one.score is not None and abs(one.score - found.best.score) < SAME]
        said += first_of_equals(equal, found.best.score, splits_of(spec)[0])
    return said + ([result.saved.warning] if result.saved is not None and result.saved.warning else [])


def _saved(result: SweepResult) -> list[str]:
    """The run whose student is kept, with its own scores, and the means over the seeds of its configuration."""
    saved = result.saved
    if saved is None:
        return []
    own = [f"{words.score(score)} on {split}" for split, score in reversed([*saved.scores.items()])]
    means = [f"{words.score(mean)} on {split}" for split, mean in reversed([*saved.means.items()])]
    lines = [f"saved:   run {saved.label}, {saved.metric} {', '.join(own)}"]
    return lines + ([f"mean:    of its {words.many(saved.runs, 'seed')}, {', '.join(means)}"] if means else [])


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
        name = _name(one) + f" {escape(spec.student_of(one.settings))}" * several
        table.add_row(name, *means, *against, words.score(one.promised))
    return table


def _mean(of: Summary) -> str:
    return f"{of.mean:.4f}" + (f" ± {of.std:.4f}" if of.std is not None else "")


def _against(one: Contender, other: str) -> str:
    if other not in one.against:
        return ""
    found = one.against[other]
    return f"{words.points(found.difference).removesuffix(' points')} {words.chance(found.p).replace(' ', '')}"


def _name(one: Contender) -> str:
    """With the trials of the search that are the same configuration as a baseline."""
    if not is_rival(one.name):
        return one.name
    plain = "none" if plain_of(one.name) == BASELINE else plain_of(one.name)
    return plain + (f" ({', '.join(one.trials)})" if one.trials else "")


def _table(title: str, *headings: str) -> Table:
    """A table of which the descriptions alone are wrapped: a value is never cut off."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading != "what", overflow="fold")
    return table


def _print(console: Console, table: Table) -> None:
    """Whole, even where the console is too narrow for the values: then the terminal wraps its lines."""
    wide = console.options.update(width=WIDE)
    for column in table.columns:
        sizes = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
        column.min_width = max(size.maximum if column.no_wrap else size.minimum for size in sizes)
    least = Measurement.get(console, wide, table).minimum
    if least > console.width:
        table.width = least
    console.print(table, crop=False)
