"""The outcome of a sweep in words: who won, by how much, how sure that is, and what the search had promised."""

from __future__ import annotations

from dataclasses import dataclass

from raykd.report import words
from raykd.report.contenders import Contender, significant
from raykd.report.significance import Comparison
from raykd.report.story import UNDISTILLED, Story, plain_of
from raykd.report.tables import time_text

LEVEL = 0.05  # a corrected p below this counts as a difference


@dataclass(frozen=True)
class Figure:
    """A number that stands out at the top of the page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """headline: one sentence; sentences: the rest; warnings: what weakens it."""

    headline: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]


def verdict(story: Story) -> Verdict:
    """What the report says first."""
    champion = story.champion
    warnings = tuple(_warnings(story))
    if champion is None:
        return _unconfirmed(story, warnings)
    best = words.score(champion.report.mean)
    reached = f"{best} {story.metric} on {story.reporting}"
    unbeaten = [_name(name) for name, found in champion.against.items() if found.p >= LEVEL or found.difference <= 0]
    aimed = story.aimed
    if aimed is not None and not aimed.met:
        headline = f"Nobody meets the aim, {aimed.text}; {_name(champion.name)} comes nearest to it: {reached}."
    elif plain_of(champion.name) == UNDISTILLED and aimed is not None:
        headline = f"The aim, {aimed.text}, is best met without distillation: {reached}."
    elif plain_of(champion.name) == UNDISTILLED:
        headline = f"No distilled student came out ahead of the undistilled one, which reaches {reached}."
    elif significant(champion):
        headline = f"{champion.name} beats {' and '.join(map(_name, champion.against))}: {reached}."
    elif unbeaten:
        headline = f"{champion.name} is the champion with {reached}, but is not shown to beat {' or '.join(unbeaten)}."
    else:
        headline = f"{champion.name} is the champion with {reached}."
    seeds = words.many(champion.report.count, "fresh seed")
    sure = words.known(champion.report.low) and words.known(champion.report.high)
    sentences = [
        f"{_capital(_name(champion.name))} ({words.settings(champion.settings)}) reaches {best} {story.metric} on "
        f"{story.reporting}, the mean of {seeds}"
        + (f" (95% interval {words.interval(champion.report.low, champion.report.high)})" if sure else "")
        + "."
    ]
    sentences += _aim(story)
    if len(story.students) > 1:
        sentences.append(f"It is compared with baselines of its own student, {story.network(champion.name).name}:")
    sentences += [_against(name, found) for name, found in champion.against.items() if name != champion.name]
    higher = [one.name for one in story.contenders if one.report.mean > champion.report.mean]
    if higher:
        how = "by the aim" if aimed is not None else f"on {story.selecting}"
        others = words.listed([f"of {_name(name)}" for name in higher])
        means = f"the mean {others} is" if len(higher) == 1 else f"the means {others} are"
        sentences.append(f"It was chosen {how}; on {story.reporting} {means} higher.")
    sentences += _curse(story, champion) + _share(story, champion.report.mean)
    figures = [Figure(f"{story.metric} on {story.reporting}", best, f"mean of {seeds}")]
    against = champion.against.get(UNDISTILLED)
    if against is not None and plain_of(champion.name) != UNDISTILLED:
        note = f"{words.chance(against.p)}, corrected"
        figures.append(Figure("against the undistilled student", words.points(against.difference), note))
    if words.known(champion.curse):
        note = f"{_gap(champion.curse)}: fresh seeds confirmed {words.score(champion.select.mean)}"
        figures.append(Figure(f"promised by the search, on {story.selecting}", words.score(champion.promised), note))
    return Verdict(headline, tuple(sentences), warnings, (*figures, *_smaller(story, champion.name)))


def _aim(story: Story) -> list[str]:
    """What the sweep was to find, and whether the one that is chosen is that."""
    aimed = story.aimed
    if aimed is None:
        return []
    asks = f": {words.score(aimed.wanted)} on {story.selecting} is asked for, {_name(aimed.name)} has "
    said = "" if aimed.wanted is None else asks + words.score(aimed.score)
    unknown = [f"There is no score of {name} that the aim could refer to." for name in aimed.unknown]
    return [f"The aim is {aimed.text}{said}.", *unknown]


def _unconfirmed(story: Story, warnings: tuple[str, ...]) -> Verdict:
    """The verdict on a sweep whose winner no fresh seed has seen."""
    best, baseline = story.best, next((run for run in story.of("baseline") if run.score is not None), None)
    plain = f"The undistilled student scores {words.score(baseline.score)} on {story.selecting}." if baseline else ""
    if best is None or best.score is None:
        headline = "No distilled trial has completed." if story.of("search") else "Nothing was searched yet."
        return Verdict(headline, (plain,) if plain else (), warnings, ())
    headline = f"{best.label} scored best in the search: {words.score(best.score)} {story.metric} on {story.selecting}."
    sentences = [f"{best.label} is {words.settings(best.settings)}."]
    figures = [Figure(f"{story.metric} on {story.selecting}", words.score(best.score), "one run, not confirmed")]
    measured = story.result(best, story.reporting) if story.reporting != story.selecting else None
    if measured is not None:
        sentences.append(f"Once, at its end, it was measured on {story.reporting}: {words.score(measured)}.")
        figures.append(Figure(f"{story.metric} on {story.reporting}", words.score(measured), "one run"))
    if baseline is not None and baseline.score is not None:
        sentences.append(plain)
        gain = words.points(best.score - baseline.score)
        figures.append(Figure("against the undistilled student", gain, "one run each, no test"))
    sentences += _aim(story) + _share(story, best.score, story.selecting)
    sentences += [f"By the aim {_name(one.name)} is kept." for one in [story.aimed] if one and one.name != best.label]
    return Verdict(headline, tuple(sentences), warnings, (*figures, *_smaller(story, best.label)))


def _warnings(story: Story) -> list[str]:
    found = []
    running = [run for run in story.runs if run.state == "running"]
    if running:
        found.append(f"The sweep is not over: {words.many(len(running), 'run')} under way or waiting to go on.")
    if story.finals_left:
        left = words.many(story.finals_left, "run")
        found.append(f"The finals are not over: {left} on fresh seeds to come, and the champion may change.")
    elif not story.contenders and story.of("search"):
        found.append(
            f"No configuration has been confirmed on fresh seeds. The best of "
            f"{words.many(len(story.of('search')), 'trial')} is the luckiest as well as one of the better ones, so its "
            "score is too high by an unknown amount, and no difference here is tested."
        )
    if len(story.contenders) > 1 and not any(one.against for one in story.contenders):
        found.append("No difference is tested: what the finals answered, or the rows they were asked, are not at hand.")
    if story.selecting == story.reporting and story.of("search"):
        found.append(
            f"{story.reporting} both selected and reports: settings were chosen on the very rows that they are judged "
            "on, as in most papers, so scores are somewhat too high."
        )
    return found


def _name(configuration: str) -> str:
    plain, at, student = configuration.partition("@")
    names = {UNDISTILLED: "the undistilled student", "kd": "plain kd"}
    return names[plain] + (at and f" ({student})") if plain in names else configuration


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith(("the ", "plain ")) else text


def _against(name: str, found: Comparison) -> str:
    """Whether the champion beats one baseline."""
    other = _name(name)
    measured = f"{words.points(found.difference)}"
    if words.known(found.low) and words.known(found.high):
        measured += f", 95% interval {words.hundredths(found.low)} to {words.hundredths(found.high)}"
    measured += f", corrected {words.chance(found.p)}"
    if found.p < LEVEL:
        return f"It {'beats' if found.difference > 0 else 'falls behind'} {other}: {measured}."
    return f"It is not shown to differ from {other}: {measured}."


def _curse(story: Story, champion: Contender) -> list[str]:
    if not words.known(champion.curse):
        return []
    promised, confirmed = words.score(champion.promised), words.score(champion.select.mean)
    gap = f"Winner's curse: on {story.selecting} the search promised {promised} and fresh seeds confirmed {confirmed}"
    return [f"{gap}; the promise was {_gap(champion.curse)}."]


def _gap(curse: float) -> str:
    """How far a promise was off."""
    much = words.points(abs(curse)).lstrip("+")
    return "just right" if much.startswith("0.0 ") else f"{much} too {'high' if curse > 0 else 'low'}"


def _share(story: Story, reached: float, split: str | None = None) -> list[str]:
    """How much of the teacher is left in the student."""
    teacher = story.teacher.scores.get(split or story.reporting)
    if teacher is None or not teacher > 0:
        return []
    where = split or story.reporting
    return [f"The teacher scores {words.score(teacher)} on {where}: the student keeps {reached / teacher:.1%} of it."]


def _smaller(story: Story, configuration: str) -> list[Figure]:
    """How much smaller and faster than its teacher the student of a configuration is."""
    teacher, student = story.teacher, story.network(configuration)
    if not teacher.parameters or not student.parameters:
        return []
    share = f"{student.parameters / teacher.parameters:.0%}"
    note = f"{words.size(student.parameters)} of {words.size(teacher.parameters)} parameters"
    if teacher.latency and student.latency:
        note += f"; {teacher.latency / student.latency:.1f} times as fast, {time_text(student.latency)} a row"
    return [Figure("size of the teacher", share, note)]
