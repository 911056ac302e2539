"""The run whose student a sweep leaves, by name, with its own scores beside the means over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raykd.report import words
from raykd.report.contenders import TIE
from raykd.report.floor import Floor
from raykd.report.story import Story


@dataclass(frozen=True)
class Saved:
    """scores: the run's own, by split, the one that selects first; means: those over all runs of its configuration on
    fresh seeds, by split, none where it is a run of the search. ties: other runs of it that select as well. floor: of
    the split that reports, None where its rows are not at hand."""

    label: str
    metric: str
    scores: Mapping[str, float | None]
    means: Mapping[str, float]
    runs: int
    ties: tuple[str, ...] = ()
    floor: Floor | None = None

    @property
    def selecting(self) -> str:
        """The split that selects."""
        return next(iter(self.scores))

    @property
    def reporting(self) -> str:
        """The split that reports."""
        return [*self.scores][-1]

    @property
    def score(self) -> float | None:
        """Its own, on the split that reports; None where that is unknown or no number."""
        return self.scores[self.reporting]

    @property
    def warning(self) -> str:
        """Why it deserves no alias: its own score or the mean is no better than always giving the same answer, or its
        score is no number. Empty for one that does."""
        own, mean, where = self.score, self.means.get(self.reporting), f"on {self.reporting}"
        if own is None:
            return f"The saved model, {self.label}, has no score {where}: it is not registered as champion."
        if self.floor is None:
            return ""
        floor = f"{self.floor.answer}, which scores {words.score(self.floor.score)} {where}"
        if self.floor.reached(own):
            return (
                f"The saved model, {self.label}, scores {words.score(own)} {self.metric}: no better than {floor}. "
                "It is kept as a folder and not registered as champion."
            )
        if mean is not None and self.floor.reached(mean):
            return (
                f"The mean over seeds of the saved model, {self.label}, is {words.score(mean)} {self.metric}: no "
                f"better than {floor}. It is kept as a folder and not registered as champion."
            )
        return ""


def saved_of(story: Story) -> Saved | None:
    """The run that `story` names as saved.

    Returns:
        None where it names none, or one that it does not hold.
    """
    run = next((run for run in story.runs if run.label == story.saved), None)
    if run is None:
        return None
    splits = dict.fromkeys((story.selecting, story.reporting))
    contender = next((one for one in story.contenders if one.name == run.configuration and run.kind == "final"), None)
    means: dict[str, float] = {}
    ties: list[str] = []
    if contender is not None:
        means = {story.selecting: contender.select.mean, story.reporting: contender.report.mean}
        others = [other for other in story.finals(run.configuration) if other.score is not None and other is not run]
        same = [other for other in others if round((other.score or 0.0) - (run.score or 0.0), TIE) == 0]
        ties = [other.label for other in same]
    scores = {split: story.result(run, split) for split in splits}
    count = 1 if contender is None else contender.report.count
    return Saved(run.label, story.metric, scores, means, count, tuple(ties), story.floor)


def sentences(saved: Saved) -> list[str]:
    """What a report says of it."""
    own = words.listed([f"{words.score(score)} on {split}" for split, score in reversed([*saved.scores.items()])])
    if not saved.means:
        return [f"The saved model is {saved.label}, one run: {own}."]
    means = [f"{words.score(mean)} on {split}" for split, mean in reversed([*saved.means.items()])]
    if saved.runs == 1:
        return [f"The saved model is {saved.label}, the only run of its configuration on a fresh seed: {own}."]
    said = [
        f"The saved model is {saved.label}, of {words.many(saved.runs, 'run')} on fresh seeds the best on "
        f"{saved.selecting}: {own} itself; the mean of these runs is {words.listed(means)}."
    ]
    if saved.ties:
        alike = words.listed([saved.label, *saved.ties])
        said.append(f"{alike} score the same on {saved.selecting}; the first of them is saved.")
    return said
