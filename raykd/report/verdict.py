"""The outcome of a sweep in words: who won, by how much, how sure that is, and what the search had promised."""

from __future__ import annotations

from dataclasses import dataclass

from raykd.report import sentences as say
from raykd.report import words
from raykd.report.contenders import TIE, Contender, significant
from raykd.report.saved import Saved, saved_of
from raykd.report.saved import sentences as saved_sentences
from raykd.report.sentences import LEVEL
from raykd.report.story import UNDISTILLED, Run, Story, plain_of
from raykd.report.tables import faster, time_text


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
    champion, saved = story.champion, saved_of(story)
    warnings = (*_warnings(story), *([saved.warning] if saved is not None and saved.warning else []))
    if champion is None:
        return _unconfirmed(story, saved, warnings)
    best = words.score(champion.report.mean)
    seeds = words.many(champion.report.count, "fresh seed")
    sentences = [
        f"{say.capital(say.contender_name(champion))} ({words.settings(champion.settings)}) reaches {best} "
        f"{story.metric} on {story.reporting}, the mean of {seeds} (95% interval: {say.interval(champion.report)})."
    ]
    sentences += say.aim(story)
    if len(story.students) > 1:
        sentences.append(f"It is compared with baselines of its own student, {story.network(champion.name).name}:")
    sentences += [
        say.against(story, champion, name, of) for name, of in champion.against.items() if name != champion.name
    ]
    sentences += say.ties(story, champion) + say.higher(story, champion) + say.curse(story, champion)
    sentences += say.share(story, champion.report.mean, story.reporting)
    sentences += saved_sentences(saved) if saved is not None else []
    figures = [Figure(f"{story.metric} on {story.reporting}", best, f"mean of {seeds}"), *_of_saved(saved)]
    against = champion.against.get(UNDISTILLED)
    if against is not None and plain_of(champion.name) != UNDISTILLED:
        note = f"{words.chance(against.p)}, corrected"
        figures.append(Figure("against the undistilled student", words.points(against.difference), note))
    if words.known(champion.curse):
        note = f"{say.gap(champion.curse)}: fresh seeds confirmed {words.score(champion.select.mean)}"
        figures.append(Figure(f"promised by the search, on {story.selecting}", words.score(champion.promised), note))
    figures += _smaller(story, champion.name)
    return Verdict(_headline(story, champion), tuple(sentences), warnings, tuple(figures))


def _headline(story: Story, champion: Contender) -> str:
    """Who won, in one sentence."""
    reached = f"{words.score(champion.report.mean)} {story.metric} on {story.reporting}"
    unbeaten = [say.name_of(name) for name, of in champion.against.items() if of.p >= LEVEL or of.difference <= 0]
    aimed, name = story.aimed, say.contender_name(champion)
    if story.floor is not None and story.floor.reached(champion.report.mean):
        return f"Nothing was learnt: {name} came out first with {reached}, no better than {story.floor.answer}."
    if aimed is not None and not aimed.met:
        return f"Nobody meets the aim, {aimed.text}; {name} comes nearest to it: {reached}."
    if plain_of(champion.name) == UNDISTILLED and aimed is not None:
        return f"The aim, {aimed.text}, is best met without distillation: {reached}."
    if plain_of(champion.name) == UNDISTILLED:
        return f"No distilled student came out ahead of the undistilled one, which reaches {reached}."
    if significant(champion):
        return f"{say.capital(name)} beats {' and '.join(map(say.name_of, champion.against))}: {reached}."
    if unbeaten:
        who = " or ".join(unbeaten)
        return f"{say.capital(name)} is the champion with {reached}, but is not shown to beat {who}."
    return f"{say.capital(name)} is the champion with {reached}."


def _unconfirmed(story: Story, saved: Saved | None, warnings: tuple[str, ...]) -> Verdict:
    """The verdict on a sweep whose winner no fresh seed has seen."""
    best, baseline = story.best, next((run for run in story.of("baseline") if run.score is not None), None)
    plain = f"The undistilled student scores {words.score(baseline.score)} on {story.selecting}." if baseline else ""
    kept = saved_sentences(saved) if saved is not None else []
    if best is None or best.score is None:
        headline = "No distilled trial has completed." if story.of("search") else "Nothing was searched yet."
        return Verdict(headline, tuple(filter(None, [plain, *kept])), warnings, tuple(_of_saved(saved)))
    headline = f"{best.label} scored best in the search: {words.score(best.score)} {story.metric} on {story.selecting}."
    sentences = [f"{best.label} is {words.settings(best.settings)}."]
    figures = [Figure(f"{story.metric} on {story.selecting}", words.score(best.score), "one run, not confirmed")]
    measured = story.result(best, story.reporting) if story.reporting != story.selecting else None
    if measured is not None:
        sentences.append(f"Once, at its end, it was measured on {story.reporting}: {words.score(measured)}.")
        figures.append(Figure(f"{story.metric} on {story.reporting}", words.score(measured), "one run"))
    sentences += say.first_of_equals(_equals(story, best), best.score, story.selecting) + kept
    if saved is not None and saved.label != best.label:
        figures += _of_saved(saved)
    if baseline is not None and baseline.score is not None:
        sentences.append(plain)
        gain = words.points(best.score - baseline.score)
        figures.append(Figure("against the undistilled student", gain, "one run each, no test"))
    sentences += say.aim(story) + say.share(story, best.score, story.selecting)
    sentences += [
        f"By the aim {say.name_of(one.name)} is kept." for one in [story.aimed] if one and one.name != best.label
    ]
    return Verdict(headline, tuple(sentences), warnings, (*figures, *_smaller(story, best.label)))


def _equals(story: Story, best: Run) -> list[str]:
    """The completed trials of the search that score as the best one does."""
    done = [run for run in story.of("search") if run.state == "complete" and run.score is not None]
    return [run.label for run in done if round((run.score or 0.0) - (best.score or 0.0), TIE) == 0]


def _of_saved(saved: Saved | None) -> list[Figure]:
    """The saved model's own score."""
    if saved is None:
        return []
    selected = f" ({words.score(saved.scores[saved.selecting])} on {saved.selecting})"
    note = "its own score" + selected * (saved.selecting != saved.reporting)
    return [Figure(f"the saved model, {saved.label}, on {saved.reporting}", words.score(saved.score), note)]


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


def _smaller(story: Story, configuration: str) -> list[Figure]:
    """How much smaller and faster than its teacher the student of a configuration is."""
    teacher, student = story.teacher, story.network(configuration)
    if not teacher.parameters or not student.parameters:
        return []
    share = f"{student.parameters / teacher.parameters:.0%}"
    note = f"{words.size(student.parameters)} of {words.size(teacher.parameters)} parameters"
    if teacher.latency and student.latency:
        ratio = faster(student.speedup) or f"{teacher.latency / student.latency:.1f} times as fast"
        note += f"; {ratio}, {time_text(student.latency)} a row"
    return [Figure("size of the teacher", share, note)]
