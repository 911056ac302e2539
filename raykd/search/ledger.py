"""The book of a sweep: which trials there are, what they reported, how they ended. Knows neither Ray nor MLflow.

It lives in memory and writes every change to the journal before anyone hears of it. A driver that dies loses nothing
but its process: opening the ledger again reads the journal, hands out first the trials that were under way, and goes on
proposing from what it holds. Every operation costs the same however many trials there were before.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState, create_trial

from raykd.search import finals
from raykd.search.baseline import baseline_settings
from raykd.search.entry import Entry, Mark
from raykd.search.finalists import Finalists, Picked
from raykd.search.finals import BASELINE
from raykd.search.halving import Halving
from raykd.search.journal import Journal, Place
from raykd.search.paired import Paired
from raykd.search.promotion import Promotion
from raykd.search.proposals import Proposer, point_of
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.tasks.predictions import unpack
from raykd.train.config import TrialSpec

# TPE learns from as many trials: the best half and the newest half. More would make each proposal dearer than the
# last and change little: what it asks is where the best lie.
HISTORY = 400


class Ledger:
    """Reads (or starts) the book of `spec`. trials: the folder or URL that holds a folder for each trial. goodness: how
    good each answer of a report is (see Paired); by default unknown."""

    def __init__(
        self,
        journal: Journal,
        spec: SweepSpec,
        space: Space,
        trials: str,
        goodness: Callable[[Mapping[str, Any]], np.ndarray | None] = lambda report: None,
    ) -> None:
        self.journal, self.spec, self.space, self.trials = journal, spec, space, trials
        self.exhausted = False  # whether everything there is to start has been started
        self.closed = False  # whether the search is to start nothing more, though trials are left
        self._no_point = False  # whether the space had none left when last asked
        self._entries: dict[str, Entry] = {}
        self._marks: dict[str, dict[int, Mark]] = {}
        floor = -math.inf if spec.floor is None else spec.floor
        self._halving: dict[str, Halving] = defaultdict(lambda: Halving(spec.grace, spec.reduction, floor))
        self._promotion = Promotion(spec.grace, spec.reduction, floor)
        self._paused: dict[str, None] = {}  # running ones that wait at a rung, without a worker
        self._dismissed: list[str] = []  # that have waited in vain, and nobody has been told yet
        self._paired: dict[str, Paired] = defaultdict(lambda: Paired(spec.grace, spec.reduction))
        self._goodness = goodness
        self._proposer = Proposer(space, sampler=spec.sampler, seed=spec.seed)
        self._learnt: dict[str, FrozenTrial] = {}  # by label: finished trials, as TPE sees them
        self._guessed: dict[str, FrozenTrial] = {}  # running ones, of which it looks at the point alone
        self._ranking: list[tuple[float, str]] = []  # completed trials, the best first
        self.tally: Counter[TrialState] = Counter()
        self._running: dict[str, None] = {}  # started and not ended, waiting ones included
        self._number = 0  # of the next new trial: one whose start is damaged in the journal keeps its label
        self.searched = 0  # trials of the search
        self._epochs = 0.0  # that they have had, or will have if nobody stops them
        self._finalists = Finalists(spec, self._answers)
        self._finals: dict[str, dict[int, str]] = {}  # by configuration and number, the label
        for place, event in journal.read():
            if event["event"] == "report" and self._counts(event["trial"], event["report"]):
                self._verdict(event["trial"], event["report"])  # as it was then, whatever is missing from the journal
            self._apply(event, place)
        self._waiting = [label for label in self._running if label not in self._paused]

    def next(self) -> TrialSpec | None:
        """The next trial to run: one that was under way, the baseline, a new proposal, and when all of those are over a
        final; None when there is none for now, or none any more (`exhausted`)."""
        while self._waiting:
            if (label := self._waiting.pop(0)) in self._running:  # one may have ended by what it had said before
                return self.spec_of(label)
        if BASELINE not in self._entries:
            return self._start(BASELINE, baseline_settings(self.space))
        if not self.closed and (leader := self._promotion.next()) is not None:
            return self._goes_on(leader)
        if self.searching:
            point = self._proposer.propose(self._history())
            self._no_point = point is None
            if point is not None:
                return self._start(f"t{self._number:04d}", point)
        if self._paused and len(self._paused) == len(self._running):
            if not self._ranking and (leader := self._promotion.best()) is not None:
                return self._goes_on(leader)  # nobody has come to the end, so the best is to
            self._dismiss()
        if (self.spec.finalists or self._paused) and any(finals.parse(label) is None for label in self._running):
            return None  # who is a finalist, and who may still go on, shows when the search is over
        for final, settings in self._planned():
            if final.label not in self._entries:
                return self._start(final.label, settings)
        self.exhausted = True
        return None

    @property
    def searching(self) -> bool:
        """Whether the search has more trials to start, so far as is known."""
        spent = self.spec.max_epochs is not None and self._epochs >= self.spec.max_epochs
        return not (self.closed or self._no_point or spent or self.searched >= self.spec.trials)

    def close(self) -> None:
        """Start no more trials of the search, and let nobody who waits at a rung go on; those under way run to their
        ends, then come the finals."""
        if not self.closed:
            self._write({"event": "close"})

    def reopen(self) -> None:
        """Let a closed search go on to as many trials as were asked for. Finals that have run stay."""
        if self.closed:
            self._write({"event": "reopen"})

    def _goes_on(self, label: str) -> TrialSpec:
        self._write({"event": "promote", "trial": label})
        return self.spec_of(label)

    def _dismiss(self) -> None:
        """The search is over: who still waits has been outdone."""
        for label in list(self._paused):
            self._write({"event": "end", "trial": label, "state": TrialState.PRUNED.name, "error": None})
            self._dismissed.append(label)

    def dismissed(self) -> list[str]:
        """The trials that have waited in vain, each told once."""
        told, self._dismissed = self._dismissed, []
        return told

    def waits(self, label: str) -> bool:
        """Whether trial `label` waits at a rung, without a worker."""
        return label in self._paused

    def planned_finals(self) -> list[tuple[finals.Final, dict[str, Any]]]:
        """The finals that there would be if the search were over now, those that have run included."""
        return [*self._planned()]

    def _planned(self) -> Iterator[tuple[finals.Final, dict[str, Any]]]:
        """The finals; none where the search found nothing to confirm."""
        picked = self._picked()
        if not picked.students:
            return iter(())
        best = [(label, self._entries[label].settings) for label in picked.trials]
        plain, seeds = self._entries[BASELINE].settings, self.spec.final_seeds
        return finals.planned(best, plain, seeds, self.spec.seed, picked.students)

    def _picked(self) -> Picked:
        """Who would be confirmed if the search were over now."""
        return self._finalists.pick(self._ranking, self._entries)

    def _answers(self, label: str) -> np.ndarray | None:
        """What trial `label` answered at its end on the split that selects; None if it was not kept."""
        if self._entries[label].state is not TrialState.COMPLETE:
            return None
        last = max(self._marks[label].items())[1]
        packed = self.journal.at(last.place)["report"].get("answers", {}).get(next(iter(self.spec.dev)))
        return None if packed is None else unpack(packed)

    def _start(self, label: str, settings: dict[str, Any]) -> TrialSpec:
        self._write({"event": "start", "trial": label, "settings": settings})
        return self.spec_of(label)

    def spec_of(self, label: str) -> TrialSpec:
        """The whole specification of trial `label`."""
        entry = self._entries[label]
        return self.spec.trial(label, entry.settings, self.trials, halved=entry.again.get("memory", 0))

    def report(self, label: str, report: dict[str, Any]) -> bool:
        """Write down one evaluation (a Report as a dict); True if the trial is to stop here, for good or for now.

        The same report twice counts once. No rung is a stage whose metric means nothing, nor the end of the run, where
        there is nothing left to save. The baseline is never stopped.
        """
        entry = self._entries[label]
        if entry.state is not TrialState.RUNNING:  # already stopped or ended: a late report changes nothing
            return True
        if not self._counts(label, report):
            return False
        stop = self._verdict(label, report)
        pause = stop and self.spec.pruner == "promotion"
        self._write({"event": "report", "trial": label, "report": report, "stop": stop and not pause, "pause": pause})
        return stop

    def _counts(self, label: str, report: Mapping[str, Any]) -> bool:
        """Whether this is the first report of an evaluation, of a trial that runs."""
        return label in self._running and report["evaluation"] not in self._marks[label]

    def _verdict(self, label: str, report: Mapping[str, Any]) -> bool:
        """Whether the trial is to stop; asked once for each report that counts."""
        if not _of_search(label) or not report["scored"] or report["progress"] >= 1.0:
            return False
        number, score = report["evaluation"], report["score"]
        # With an aim a small student is not to be stopped by the scores of a large one.
        among = "" if self.spec.aim is None else self.spec.student_of(self._entries[label].settings)
        if self.spec.pruner == "promotion":
            return self._promotion.waits(label, number, score, among)
        if self.spec.pruner == "paired":
            return self._paired[among].stops(label, number, score, self._goodness(report))
        return self.spec.pruner == "halving" and self._halving[among].stops(label, number, score)

    def end(self, label: str, state: TrialState, *, error: str | None = None) -> None:
        """Write down how a trial ended, once. A score that is no number is no result."""
        entry = self._entries[label]
        if state is TrialState.COMPLETE and entry.score is not None and math.isnan(entry.score):
            state, error = TrialState.FAIL, "its last score is not a number"
        if entry.state is TrialState.RUNNING:
            self._write({"event": "end", "trial": label, "state": state.name, "error": error})

    def again(self, label: str, why: str) -> None:
        """Trial `label` lost its worker because of `why` and waits for another; its checkpoint is where it goes on."""
        if self._entries[label].state is TrialState.RUNNING and label not in self._waiting:
            self._write({"event": "again", "trial": label, "why": why})
            self._waiting.append(label)

    def _write(self, event: dict[str, Any]) -> None:
        self._apply(event, self.journal.append(event))

    def _apply(self, event: dict[str, Any], place: Place) -> None:
        """What an event changes, be it new or read again. An event that came twice changes nothing more."""
        if event["event"] in ("close", "reopen"):
            self.closed, self.exhausted = event["event"] == "close", False
            return
        label = event["trial"]
        if _of_search(label):
            self._number = max(self._number, int(label[1:]) + 1)
        entry = self._entries.get(label)
        if entry is None:
            if event["event"] == "start":
                self._entries[label] = Entry(label, TrialState.RUNNING, None, 0, event["settings"])
                self._marks[label] = {}
                self._running[label] = None
                self.tally[TrialState.RUNNING] += 1
                if final := finals.parse(label):
                    self._finals.setdefault(final.name, {})[final.number] = label
                elif label != BASELINE:
                    self.searched += 1
                    self._epochs += self._length(label)
                    self._guessed[label] = self.frozen(label)
                    self._proposer.started(event["settings"])
        elif entry.state is not TrialState.RUNNING:
            return
        elif event["event"] == "promote":
            self._promotion.goes_on(label)
            self._paused.pop(label, None)
            self._learnt.pop(label, None)
            self._guessed[label] = self.frozen(label)
            self._epochs += (1 - self._done(label)) * self._length(label)
        elif event["event"] == "again":
            self._entries[label] = replace(entry, again=Counter(entry.again) + Counter([event["why"]]))
        elif event["event"] == "end":
            if entry.score is None and event["state"] == "COMPLETE":
                return  # its reports are damaged: it runs again
            self._ended(replace(entry, state=TrialState[event["state"]], error=event["error"]))
        elif event["event"] == "report" and self._counts(label, event["report"]):
            report = event["report"]
            number, score, progress = report["evaluation"], report["score"], report["progress"]
            self._marks[label][number] = Mark(progress, score, place)
            latest = replace(entry, score=score, evaluation=number) if number > entry.evaluation else entry
            self._entries[label] = latest
            if event.get("pause"):
                self._paused[label] = None
                self._guessed.pop(label, None)
                self._learnt[label] = self.frozen(label, TrialState.PRUNED)
                self._epochs -= (1 - self._done(label)) * self._length(label)
            if event["stop"]:
                self._ended(replace(latest, state=TrialState.PRUNED))

    def _ended(self, entry: Entry) -> None:
        self._entries[entry.label] = entry
        del self._running[entry.label]
        paused = entry.label in self._paused
        self._paused.pop(entry.label, None)
        self._guessed.pop(entry.label, None)
        self.tally[TrialState.RUNNING] -= 1
        self.tally[entry.state] += 1
        if not _of_search(entry.label):
            return
        if not paused:
            self._epochs -= (1 - self._done(entry.label)) * self._length(entry.label)
        if entry.state is TrialState.FAIL:
            return
        self._learnt[entry.label] = self.frozen(entry.label)
        if entry.state is TrialState.COMPLETE and entry.score is not None:
            bisect.insort(self._ranking, (-entry.score, entry.label))
        if len(self._learnt) > 2 * HISTORY:
            self._learnt = self._telling()  # the others will not be asked for again

    def _history(self) -> list[FrozenTrial]:
        """What TPE learns from: scored, stopped (with their curves) and running trials."""
        return [*self._telling().values(), *self._guessed.values()]

    def _telling(self) -> dict[str, FrozenTrial]:
        """The finished trials that count, in the order of their ends: the best and the newest."""
        if len(self._learnt) <= HISTORY:
            return self._learnt
        best = {label for _, label in self._ranking[: HISTORY // 2]}
        others = (label for label in reversed(self._learnt) if label not in best)
        kept = best | set(islice(others, HISTORY // 2))
        return {label: trial for label, trial in self._learnt.items() if label in kept}

    def frozen(self, label: str, state: TrialState | None = None) -> FrozenTrial:
        """Trial `label` as Optuna writes it, or as it would in another `state`. A failed one has no value, however good
        it looked before."""
        entry, marks = self._entries[label], dict(self._marks[label])  # a mirror's thread asks while the driver writes
        params, distributions = point_of(self.space, entry.settings) if _of_search(label) else ({}, {})
        state = state or entry.state
        stopped = state is TrialState.PRUNED and entry.score is not None and not math.isnan(entry.score)
        attributes = {"label": label, "settings": entry.settings, "error": entry.error, "again": dict(entry.again)}
        attributes["kind"] = None if entry.kind == "search" else entry.kind
        return create_trial(
            state=state,
            value=entry.score if state is TrialState.COMPLETE or stopped else None,
            params=params,
            distributions=distributions,
            user_attrs={key: value for key, value in attributes.items() if value},
            intermediate_values={number: mark.score for number, mark in marks.items()},
        )

    def _done(self, label: str) -> float:
        """The part of trial `label` that has been reported."""
        return max((mark.progress for mark in self._marks[label].values()), default=0.0)

    def _length(self, label: str) -> float:
        """Epochs of a whole run of trial `label`."""
        return float(self._entries[label].settings.get("epochs", self.spec.training.epochs))

    @property
    def running(self) -> list[str]:
        """Trials that have started and not ended, waiting ones included."""
        return list(self._running)

    def entry(self, label: str) -> Entry:
        """Trial `label`."""
        return self._entries[label]

    def entries(self) -> list[Entry]:
        """Every trial of the sweep, in the order of their start; the baseline is the first."""
        return list(self._entries.values())

    def best(self) -> Entry | None:
        """The completed trial of the search with the best score; the earliest of equals."""
        return self._entries[self._ranking[0][1]] if self._ranking else None

    def finals(self) -> dict[str, list[Entry]]:
        """The completed finals of each configuration, the seeds in order."""
        found = {name: [self._entries[label] for _, label in sorted(of.items())] for name, of in self._finals.items()}
        return {name: [one for one in of if one.state is TrialState.COMPLETE] for name, of in found.items()}

    @property
    def planned(self) -> int:
        """How many trials there will be, so far as is known: the search's, its baseline, the finals."""
        picked = self._picked()
        over = not self.searching and not any(map(_of_search, self._running))
        runs = (len(picked.trials) if over else self.spec.finalists) + 2 * max(not over, len(picked.students))
        finals_of = runs * self.spec.final_seeds if self.spec.finalists else 0
        return (self.searched if self.closed else self.spec.trials) + 1 + finals_of

    def keepers(self) -> set[str]:
        """The trials whose students are kept: the search's best, by its score and by the aim, the baseline, each final
        configuration's best."""
        best = [max(of, key=_score).label for of in self.finals().values() if of]
        return {BASELINE, *best, *self._finalists.first(self._ranking, self._entries)}

    @property
    def baseline_score(self) -> float | None:
        """The latest score of the undistilled student."""
        return self._entries[BASELINE].score if BASELINE in self._entries else None

    def marks(self, label: str) -> dict[int, Mark]:
        """The evaluations of trial `label` by number."""
        return self._marks[label]

    def reports(self, label: str) -> list[dict[str, Any]]:
        """The whole reports of trial `label` in order, read from the journal."""
        return [self.journal.at(mark.place)["report"] for _, mark in sorted(dict(self._marks[label]).items())]


def _of_search(label: str) -> bool:
    """Neither the baseline nor a final."""
    return label != BASELINE and finals.parse(label) is None


def _score(entry: Entry) -> float:
    return -math.inf if entry.score is None else entry.score
