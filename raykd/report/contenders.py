"""From what the finals answered to the table that a person believes: who is best, and is it more than luck?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from raykd.report.significance import Comparison, Summary, compare, holm, summarize
from raykd.tasks.metrics import RANGES
from raykd.tasks.predictions import Answered, pseudo_values, score_of

TIE = 12  # decimals to which two means are told apart; the rest is rounding

Answers = Mapping[str, np.ndarray]  # by split


@dataclass(frozen=True)
class Contender:
    """A configuration, run on several seeds. trials: those of the search that are the same configuration as a
    baseline; none of one that the search found, whose name is its trial."""

    name: str
    settings: Mapping[str, Any]
    promised: float | None  # what the search said of it on the selecting split; None where nobody chose it by that
    select: Summary  # the metric over seeds, on the split that selects
    report: Summary  # and on the one that reports
    against: dict[str, Comparison]  # by baseline, on the reporting split; p corrected over all of the table
    seeds: tuple[int, ...]  # those that finished
    trials: tuple[str, ...] = ()

    @property
    def curse(self) -> float | None:
        """What the search promised beyond what fresh seeds confirmed, on the same split: the winner's curse."""
        return None if self.promised is None else self.promised - self.select.mean


def judge(
    task: Answered,
    runs: Mapping[str, Mapping[int, Answers]],
    labels: Mapping[str, np.ndarray],
    settings: Mapping[str, Mapping[str, Any]],
    promised: Mapping[str, float],
    *,
    selecting: str,
    reporting: str,
    baselines: Sequence[str],
) -> list[Contender]:
    """Everyone with a finished seed (one that has answers on both splits), best mean on the selecting split first, and
    of equal ones the baselines first, in their order.

    runs: by name and seed, the answers (raykd.tasks.predictions) on each split. labels: of those splits. settings,
    promised: by name, as far as there are any. baselines: names in runs, simplest first. selecting and reporting may
    be the same split.

    Each is compared with every baseline, and a baseline with those simpler than it, over the seeds that both have
    finished. p is Holm's over all of these.
    """
    kept = {
        name: {
            seed: answers for seed, answers in sorted(seeds.items()) if selecting in answers and reporting in answers
        }
        for name, seeds in runs.items()
    }
    order = {name: place for place, name in enumerate(dict.fromkeys([*baselines, *kept])) if kept.get(name)}
    low, high = RANGES[task.primary]
    scores = {
        name: {
            split: {seed: score_of(task, answers[split], labels[split]) for seed, answers in kept[name].items()}
            for split in (selecting, reporting)
        }
        for name in order
    }
    values = {
        name: {seed: pseudo_values(task, answers[reporting], labels[reporting]) for seed, answers in kept[name].items()}
        for name in order
    }
    made = {
        (name, other): compare(
            values[name],
            values[other],
            within=(low - high, high - low),
            difference=_difference(scores[name][reporting], scores[other][reporting]),
        )
        for name in order
        for other in baselines
        if other in order and (name not in baselines or order[other] < order[name])
    }
    corrected = dict(zip(made, holm([one.p for one in made.values()]), strict=True))
    contenders = []
    for name in order:
        select, report = (
            summarize([*scores[name][split].values()], within=(low, high)) for split in (selecting, reporting)
        )
        against = {pair[1]: replace(one, p=corrected[pair]) for pair, one in made.items() if pair[0] == name}
        contenders.append(
            Contender(name, settings.get(name, {}), promised.get(name), select, report, against, tuple(kept[name]))
        )
    return sorted(contenders, key=_rank)


def champion(contenders: Sequence[Contender]) -> Contender:
    """The best mean on the selecting split, baselines included; of equal ones the first, which `judge` orders so that
    it is the simplest. Raises ValueError if there are none."""
    return min(contenders, key=_rank)


def significant(contender: Contender, level: float = 0.05) -> bool:
    """Whether it is better than every baseline there is (for a baseline: than every simpler one), with p < level after
    correction. False where there is no other to be better than."""
    found = contender.against.values()
    return bool(found) and all(one.difference > 0 and one.p < level for one in found)


def _difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float:
    """That of the means over the seeds that both have; over all where they have none in common."""
    seeds = sorted(ours.keys() & theirs.keys())
    pairs = [(ours[seed], theirs[seed]) for seed in seeds] or [
        (float(np.mean([*ours.values()])), float(np.mean([*theirs.values()])))
    ]
    return float(np.mean([one for one, _ in pairs]) - np.mean([other for _, other in pairs]))


def _rank(contender: Contender) -> float:
    return -round(contender.select.mean, TIE)
