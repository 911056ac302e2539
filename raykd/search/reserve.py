"""Keeps time for the finals in a sweep that has a time budget: a search that used all of it would confirm nothing.

What the finals will take is estimated from what the sweep's own trials took, again whenever one ends: a finalist as
long as the longest that has completed, since that one may become a finalist; a baseline as its epochs at the pace of
its method. Before a trial of the search starts there must be time for it, as long as the longest, and for the finals
after it. If there is not, the search is closed: what runs goes on to its end, and then the finals start.

At least a quarter of the budget is the search's own. Finals for which that leaves too little begin all the same, seed
by seed, and wait for a resume as anything else does that the budget cuts off.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from typing import Any

from optuna.trial import TrialState

from raykd.report import words
from raykd.search.estimate import work
from raykd.search.finals import is_rival
from raykd.search.ledger import Ledger

MARGIN = 1.1  # no two runs take the same time
MOST = 0.75  # of the budget that may be kept


class Reserve:
    """Watches the sweep of `ledger`, whose `budget` (seconds) begins now. say: told once, when the search is closed.
    clock: in seconds."""

    def __init__(
        self, ledger: Ledger, budget: float, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger, self._budget, self._say, self._clock = ledger, budget, say, clock
        self._ends = clock() + budget
        self._began: dict[str, tuple[float, bool]] = {}  # trials under way: when, and whether others had ended by then
        self._warm = False  # whether any has ended
        self._longest = 0.0  # seconds that a completed trial has trained
        self._paces: dict[str, float] = {}  # by method, the slowest: seconds an epoch of the first student
        self._beside: float | None = None  # seconds of a trial beside its training, the least seen
        self.finals = 0.0  # seconds that they will take, so far as is known
        for entry in ledger.entries():  # of a resumed sweep
            if entry.state is TrialState.COMPLETE:
                self._learn(entry.label)
        self.finals = self._estimate()

    def began(self, label: str) -> None:
        """Trial `label` has been handed out."""
        # The first ones also wait for their processes, which those after them find there.
        self._began[label] = (self._clock(), self._warm)

    def ended(self, label: str) -> None:
        """Trial `label` is over."""
        began, warm = self._began.pop(label, (0.0, False))
        self._warm = True
        if self._ledger.entry(label).state is TrialState.COMPLETE:
            self._learn(label)
        if warm and (beside := self._clock() - began - self._trained(label)) >= 0:  # else some of it was done before
            self._beside = beside if self._beside is None else min(beside, self._beside)
        self.finals = self._estimate()

    def check(self) -> None:
        """Close the search if it is time for that. There must be something to confirm by then."""
        book = self._ledger
        waiting = any(book.waits(label) for label in book.running)
        if not (book.searching or waiting) or not self._longest or not (book.best() or waiting):
            return
        if self._ends - self._clock() < self._whole(self._longest) + min(MARGIN * self.finals, MOST * self._budget):
            book.close()
            self._say(
                f"search: closed after {book.searched} of {book.spec.trials} trials, to leave time for the finals "
                f"(about {words.time(self.finals)}); --resume with --time-budget or --extend goes on with it"
            )

    def _learn(self, label: str) -> None:
        trained, settings = self._trained(label), self._ledger.entry(label).settings
        self._longest = max(self._longest, trained)
        pace = trained / self._work(settings)
        self._paces[settings["method"]] = max(pace, self._paces.get(settings["method"], 0.0))

    def _trained(self, label: str) -> float:
        """Seconds, as its last report has it."""
        marks = self._ledger.marks(label)
        return self._ledger.journal.at(marks[max(marks)].place)["report"]["seconds"] if marks else 0.0

    def _whole(self, trained: float) -> float:
        """Seconds from one trial to the next on the same place."""
        return trained + (self._beside or 0.0)

    def _work(self, settings: Mapping[str, Any]) -> float:
        """Epochs, as many of the first student."""
        spec = self._ledger.spec
        return float(settings.get("epochs", spec.training.epochs)) * work(spec, settings)

    def _estimate(self) -> float:
        """Seconds of the finals that are left, one after another on the next free place."""
        spec, planned = self._ledger.spec, self._ledger.planned_finals()
        if not spec.finalists or not self._paces:
            return 0.0
        over = {one.label for of in self._ledger.finals().values() for one in of}
        slowest = max(self._paces.values())
        times = []
        for final, settings in planned:
            if not is_rival(final.name):  # of a finalist that has run, since another may take its place
                times.append(self._longest)
            elif final.label not in over:
                times.append(self._paces.get(settings["method"], slowest) * self._work(settings))
        missing = spec.finalists - len({final.name for final, _ in planned if not is_rival(final.name)})
        missing += 0 if planned else 2  # the baselines
        times += [self._longest] * missing * spec.final_seeds  # of trials that are still to come
        places = [0.0] * max(1, spec.concurrency)
        for seconds in times:
            heapq.heapreplace(places, places[0] + self._whole(seconds))
        return max(places)
