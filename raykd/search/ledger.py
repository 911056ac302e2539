"""The book of a sweep: which trials there are, what they reported, how they ended. Knows Optuna, not Ray.

The Optuna study on disk is the only truth. A driver that dies loses nothing but its process: opening the ledger again
finds the trials that were under way, hands those out first, and goes on proposing from what the study knows. The
undistilled baseline lives in a study of its own beside the sweep's, since it shares none of its parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from raykd.search.baseline import baseline_settings
from raykd.search.proposals import enqueue, propose, reopen
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.train.config import Training, TrialSpec

BASELINE = "baseline"

optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study and every trial


@dataclass(frozen=True)
class Entry:
    """One line of the book. score is the last reported value, evaluation its number, state Optuna's."""

    label: str
    state: TrialState
    score: float | None
    evaluation: int
    settings: dict[str, Any]
    error: str | None = None


class Ledger:
    """Opens (or creates) the studies of the sweep in `folder`."""

    def __init__(self, folder: Path, spec: SweepSpec, space: Space) -> None:
        self.folder, self.spec, self.space = folder, spec, space
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=spec.grace, reduction_factor=spec.reduction, min_early_stopping_rate=0
        )
        self.study = self._open(spec.name, pruner)
        self._baseline = self._open(f"{spec.name}/{BASELINE}", optuna.pruners.NopPruner())
        self.exhausted = False  # whether everything there is to start has been started
        self._running: dict[str, Trial] = {}
        self._waiting = [
            reopen(study, frozen.number)
            for study in (self._baseline, self.study)
            for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        ]

    def _open(self, name: str, pruner: optuna.pruners.BasePruner) -> optuna.Study:
        return optuna.create_study(
            study_name=name, storage=self._storage, pruner=pruner, direction="maximize", load_if_exists=True
        )

    def next(self) -> TrialSpec | None:
        """The next trial to run: one that was under way, the baseline, or a new proposal; None when there is none."""
        if self._waiting:
            trial = self._waiting.pop(0)
        elif not self._baseline.get_trials(deepcopy=False):
            empty = Space("baseline", "", "", ())
            trial = enqueue(self._baseline, empty, {}, {"settings": baseline_settings(self.space)})
        else:
            full = len(self.study.get_trials(deepcopy=False)) >= self.spec.trials
            point = None if full else propose(self.study, self.space, sampler=self.spec.sampler, seed=self.spec.seed)
            if point is None:
                self.exhausted = True
                return None
            trial = enqueue(self.study, self.space, point, {"settings": point})
        label = self._label(trial)
        self._running[label] = trial
        return self.spec_of(label, trial.user_attrs["settings"])

    def _label(self, trial: Trial) -> str:
        return BASELINE if trial.study is self._baseline else f"t{trial.number:04d}"

    def spec_of(self, label: str, settings: dict[str, Any]) -> TrialSpec:
        """The whole specification of a trial called `label` with these settings."""
        training = {key: value for key, value in settings.items() if key in Training.model_fields}
        parameters = {k: v for k, v in settings.items() if k not in training and k != "method"}
        return TrialSpec(
            label=label,
            folder=str(self.folder / "trials" / label),
            task=self.spec.task,
            train=self.spec.train,
            dev=self.spec.dev,
            teacher=self.spec.teacher,
            student=self.spec.student,
            origin=self.spec.origin,
            corpus=self.spec.corpus,
            method=settings["method"],
            parameters=parameters,
            training=self.spec.training.model_copy(update=training),
            workers=self.spec.workers,
            gpus_per_worker=self.spec.gpus_per_worker,
            threads=self.spec.threads,
        )

    def report(self, label: str, evaluation: int, score: float, *, may_stop: bool) -> bool:
        """Write down one evaluation; True if the trial is to stop here. The same report twice counts once.

        may_stop: whether this is a rung at all: not in a stage whose metric means nothing, and not at the end, where
        there is nothing left to save.
        """
        trial = self._running.get(label)
        if trial is None:  # already stopped or ended: a late report changes nothing
            return True
        known = trial.study._storage.get_trial(trial._trial_id).intermediate_values
        if evaluation not in known:
            trial.report(score, evaluation)
        if may_stop and trial.should_prune():
            self.end(label, TrialState.PRUNED)
            return True
        return False

    def end(self, label: str, state: TrialState, *, error: str | None = None) -> None:
        """Tell Optuna how a trial ended, once; its value is the last reported one (none where it failed)."""
        trial = self._running.pop(label, None)
        if trial is None:
            return
        if error is not None:
            trial.set_user_attr("error", error)
        values = trial.study._storage.get_trial(trial._trial_id).intermediate_values
        value = values[max(values)] if values and state is TrialState.COMPLETE else None
        trial.study.tell(trial, value, state=state)

    def entries(self) -> list[Entry]:
        """Every trial of the sweep, the baseline first."""
        lines = [self._entry(BASELINE, t) for t in self._baseline.get_trials(deepcopy=False)]
        return lines + [self._entry(f"t{t.number:04d}", t) for t in self.study.get_trials(deepcopy=False)]

    def close(self) -> None:
        """Let go of the database."""
        self._storage.engine.dispose()

    @staticmethod
    def _entry(label: str, frozen: FrozenTrial) -> Entry:
        last = max(frozen.intermediate_values, default=0)
        score = frozen.intermediate_values.get(last)
        attributes = frozen.user_attrs
        return Entry(label, frozen.state, score, last, attributes.get("settings", {}), attributes.get("error"))
