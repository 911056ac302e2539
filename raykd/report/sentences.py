"""Sentences of a verdict on one champion, each from the numbers it speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from raykd.report import words
from raykd.report.contenders import TIE, Contender
from raykd.report.significance import Comparison, Summary
from raykd.report.story import UNDISTILLED, Story, plain_of

LEVEL = 0.05  # a corrected p below this counts as a difference


def name_of(configuration: str) -> str:
    """A configuration within a sentence."""
    plain, at, student = configuration.partition("@")
    names = {UNDISTILLED: "the undistilled student", "kd": "plain kd"}
    return names[plain] + (at and f" ({student})") if plain in names else configuration


def contender_name(one: Contender) -> str:
    """A contender within a sentence; a baseline with the trials of the search that are the same configuration."""
    return name_of(one.name) + (f" ({', '.join(one.trials)})" if one.trials else "")


def capital(text: str) -> str:
    """A name at the beginning of a sentence; those of trials stay small."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "plain ")) else text


def interval(of: Summary) -> str:
    """That of a mean, or why there is none."""
    if words.known(of.low) and words.known(of.high):
        return words.interval(of.low, of.high)
    return "too few seeds to say" if of.count > 1 else "one seed"


def against(story: Story, champion: Contender, name: str, found: Comparison) -> str:
    """Whether the champion beats one baseline, on how many seeds if not on all of its own."""
    other = name_of(name)
    measured = words.points(found.difference)
    measured += _on(story, champion, name)
    if words.known(found.low) and words.known(found.high):
        measured += f", 95% interval {words.hundredths(found.low)} to {words.hundredths(found.high)}"
    measured += f", corrected {words.chance(found.p)}"
    if found.p < LEVEL:
        return f"It {'beats' if found.difference > 0 else 'falls behind'} {other}: {measured}."
    return f"It is not shown to differ from {other}: {measured}."


def _on(story: Story, champion: Contender, name: str) -> str:
    """On how many seeds the two were compared, where it is not on all that the champion ran on."""
    student = story.network(champion.name).name
    named = (one for one in story.contenders if plain_of(one.name) == name)
    own = next((one for one in named if story.network(one.name).name == student), None)
    shared = len({*champion.seeds} & {*own.seeds}) if own is not None else 0
    return f" on the {words.many(shared, 'seed')} that both ended" if 0 < shared < len(champion.seeds) else ""


def ties(story: Story, champion: Contender) -> list[str]:
    """Who scores the same on the split that selects, and why this one is the champion."""
    place = story.contenders.index(champion)
    equal = [
        one
        for one in story.contenders
        if one is not champion and round(one.select.mean - champion.select.mean, TIE) == 0
    ]
    if not equal:
        return []
    alike = words.listed([contender_name(one) for one in sorted([champion, *equal], key=story.contenders.index)])
    if plain_of(champion.name) not in (UNDISTILLED, "kd"):
        why = "which the search had ahead"
    elif all(plain_of(one.name) == plain_of(champion.name) for one in equal):  # of other students
        why = "which comes first"
    else:
        why = "which is simpler"
    if story.aimed is not None and place > min(story.contenders.index(one) for one in equal):
        why = "which the aim prefers"
    said = f"{alike} score the same on {story.selecting}, {words.score(champion.select.mean)}; the champion is "
    return [f"{capital(said)}{contender_name(champion)}, {why}."]


def higher(story: Story, champion: Contender) -> list[str]:
    """Whose mean on the split that reports is higher than that of the champion, who was chosen by something else."""
    names = [contender_name(one) for one in story.contenders if one.report.mean > champion.report.mean]
    if not names:
        return []
    how = "by the aim" if story.aimed is not None else f"on {story.selecting}"
    others = words.listed([f"of {name}" for name in names])
    means = f"the mean {others} is" if len(names) == 1 else f"the means {others} are"
    return [f"It was chosen {how}; on {story.reporting} {means} higher."]


def curse(story: Story, champion: Contender) -> list[str]:
    """What the search had promised of a champion that it chose, and how far that was off."""
    if not words.known(champion.curse):
        return []
    promised, confirmed = words.score(champion.promised), words.score(champion.select.mean)
    said = f"on {story.selecting} the search promised {promised} and fresh seeds confirmed {confirmed}"
    return [f"Winner's curse: {said}; the promise was {gap(champion.curse)}."]


def gap(much: float) -> str:
    """How far a promise was off."""
    said = words.points(abs(much)).lstrip("+")
    return "just right" if said.startswith("0.0 ") else f"{said} too {'high' if much > 0 else 'low'}"


def share(story: Story, reached: float, split: str) -> list[str]:
    """How much of the teacher is left in the student."""
    teacher = story.teacher.scores.get(split)
    if teacher is None or not teacher > 0:
        return []
    kept = f": the student keeps {reached / teacher:.1%} of it" if reached > 0 else ""
    return [f"The teacher scores {words.score(teacher)} on {split}{kept}."]


def aim(story: Story) -> list[str]:
    """What the sweep was to find, and whether the one that is chosen is that."""
    aimed = story.aimed
    if aimed is None:
        return []
    asks = f": {words.score(aimed.wanted)} on {story.selecting} is asked for, {name_of(aimed.name)} has "
    said = "" if aimed.wanted is None else asks + words.score(aimed.score)
    unknown = [f"There is no score of {name} that the aim could refer to." for name in aimed.unknown]
    return [f"The aim is {aimed.text}{said}.", *unknown]


def first_of_equals(labels: Sequence[str], score: float, split: str) -> list[str]:
    """Trials of the search that score the same, of which the first is called the best."""
    if len(labels) < 2:
        return []
    shown = [*labels[:5], *([f"{len(labels) - 5:,} more"] if len(labels) > 5 else [])]
    return [f"{words.listed(shown)} score the same on {split}, {words.score(score)}; the first of them is named."]
