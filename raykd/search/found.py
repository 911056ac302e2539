"""What a sweep has found, read from its ledger: the best of the search, and what fresh seeds say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from raykd.report.contenders import TIE, Contender
from raykd.search.aimed import choose, first
from raykd.search.entry import Entry
from raykd.search.finals import BASELINE, is_rival, parse
from raykd.search.ledger import Ledger
from raykd.search.spec import SweepSpec


@dataclass(frozen=True)
class Found:
    """baseline and best are of the search: the undistilled student, and the best distilled one.

    contenders: each configuration that ran again on fresh seeds, best first; none before all of that is over. champion:
    the trial whose student is kept (raykd.report.saved has its scores and the means beside them), of the chosen
    contender's runs the one with the best score on the split that selects, the first of equals; before there are any,
    the better of best and baseline (the distilled one of equals). Who is better is a matter of the sweep's aim.
    reported: by trial, its score on the split that reports, of those that reached their end.
    """

    baseline: Entry | None
    best: Entry | None
    contenders: tuple[Contender, ...]
    champion: Entry | None
    reported: Mapping[str, float]

    @property
    def confirmed(self) -> Contender | None:
        """The contender that the champion is a run of."""
        final = parse(self.champion.label) if self.champion else None
        return next((one for one in self.contenders if final and one.name == final.name), None)


def splits_of(spec: SweepSpec) -> tuple[str, str]:
    """The split that selects, and the one that reports: the same where the sweep selects on dev."""
    names = [*spec.dev]
    return names[0], names[min(1, len(names) - 1)] if names[0] == "select" else names[0]


def look(ledger: Ledger, spec: SweepSpec, contenders: Sequence[Contender]) -> Found:
    """What `ledger` holds by now. contenders: what the finals say, of which nothing counts before they are over."""
    entries, best = ledger.entries(), ledger.best()
    baseline = next((e for e in entries if e.label == BASELINE and e.state is TrialState.COMPLETE), None)
    finals = ledger.finals() if ledger.exhausted and not ledger.running else {}
    confirmed = any(one.trials or not is_rival(one.name) for one in contenders)
    judged = tuple(contenders) if confirmed and finals else ()
    champion = kept(ledger, spec)
    if judged:
        runs = finals[choose(spec, judged, undistilled(ledger)).name]
        champion = max(runs, key=lambda entry: -math.inf if entry.score is None else round(entry.score, TIE))
    over = [one for of in finals.values() for one in of]
    over += [one for one in (best, baseline, champion) if one is not None and one not in over]
    metric = f"{splits_of(spec)[1]}/{spec.task.primary}"
    reported = {entry.label: ledger.reports(entry.label)[-1]["metrics"].get(metric) for entry in over}
    known = {label: score for label, score in reported.items() if score is not None}
    return Found(baseline, best, judged, champion, known)


def undistilled(ledger: Ledger) -> float | None:
    """The score of the undistilled student in the search, once it has come to its end."""
    entry = next((one for one in ledger.entries() if one.label == BASELINE), None)
    return entry.score if entry is not None and entry.state is TrialState.COMPLETE else None


def kept(ledger: Ledger, spec: SweepSpec) -> Entry | None:
    """Of the search's trials whose students are kept the best by the sweep's aim; a distilled one before its equal."""
    best = ledger.best()
    others = sorted(label for label in ledger.keepers() if parse(label) is None and label != BASELINE)
    labels = dict.fromkeys([*([best.label] if best else []), *others, BASELINE])
    known = {entry.label: entry for entry in ledger.entries() if entry.label in labels}
    ended = [known[label] for label in labels if label in known and known[label].state is TrialState.COMPLETE]
    scored = [(one.label, one.score, one.settings) for one in ended if one.score is not None]
    name = first(spec, scored, undistilled(ledger))
    return None if name is None else known[name]
