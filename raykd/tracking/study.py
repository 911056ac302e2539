"""The sweep as an Optuna study in a database, for optuna-dashboard and for everyone who queries studies.

A mirror: raykd decides nothing by it, and makes it anew from the journal if it is lost. By default a SQLite file in the
sweep's folder; any database that Optuna takes serves.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from raykd.tracking.reconcile import Reconciler

if TYPE_CHECKING:
    from raykd.search.spec import SweepSpec

# By the kind of a trial (of the search, if it says none): what its study's name ends in.
PARTS = {None: "", "baseline": "/baseline", "final": "/finals"}

optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study and every trial


def study_uri(folder: Path) -> str:
    """The default database of the sweep in `folder`."""
    return f"sqlite:///{(folder / 'study.db').resolve()}"


def study_name(spec: SweepSpec) -> str:
    """By the sweep's name; in a database that others use as well its identity comes along."""
    return spec.name if spec.study_uri is None else f"{spec.name}-{spec.uid[:8]}"


class StudyMirror:
    """Keeps the study of `spec` in `uri` like the ledger. frozen: a trial, by label, as Optuna writes it.

    The undistilled baseline and the finals have studies of their own, since they share none of the sweep's parameters.
    """

    def __init__(
        self, spec: SweepSpec, uri: str, frozen: Callable[[str], FrozenTrial], say: Callable[[str], object]
    ) -> None:
        self.spec, self.uri = spec, uri
        self._frozen, self._say = frozen, say
        self._storage: optuna.storages.RDBStorage | None = None
        self._studies: dict[str | None, int] = {}  # by kind
        self._trials: dict[str, int] = {}  # Optuna's identity of each label
        self._steps: dict[str, set[int]] = {}  # of trials that are still open there
        self._ended: set[str] = set()
        self._reconciler = Reconciler("the study's database", self._sync, say)
        self.touch = self._reconciler.touch

    def close(self, timeout: float, waiting: Callable[[int], object] = lambda left: None) -> int:
        """Wait until everything is written, `timeout` seconds at most; returns how many trials are not. waiting: see
        Reconciler.close."""
        left = self._reconciler.close(timeout, waiting)
        if (storage := self._storage) is not None:
            storage.engine.dispose()
        return left

    def _sync(self, label: str) -> None:
        try:
            self._write(label, self._frozen(label))
        except Exception:
            if self._storage is not None:  # what was written before the failure is asked for anew
                self._storage.engine.dispose()
            self._storage = None
            raise
        finally:
            if (storage := self._storage) is not None:
                storage.remove_session()  # of this thread: its connection goes back, so that close can end it

    def _write(self, label: str, trial: FrozenTrial) -> None:
        storage = self._open()
        if label in self._ended:
            return
        if label not in self._trials:
            study = self._studies[trial.user_attrs.get("kind")]
            self._trials[label] = storage.create_new_trial(study, template_trial=trial)
            self._steps[label] = set(trial.intermediate_values)
        else:
            number = self._trials[label]
            for step, value in trial.intermediate_values.items():
                if step not in self._steps[label]:
                    storage.set_trial_intermediate_value(number, step, value)
                    self._steps[label].add(step)
            if trial.state.is_finished():
                for key, value in trial.user_attrs.items():
                    storage.set_trial_user_attr(number, key, value)
                storage.set_trial_state_values(number, trial.state, trial.values)
        if trial.state.is_finished():
            self._ended.add(label)
            self._steps.pop(label, None)

    def _open(self) -> optuna.storages.RDBStorage:
        if self._storage is None:
            storage = open_storage(self.uri)
            for kind, ending in PARTS.items():
                if kind == "final" and not self.spec.finalists:
                    continue
                name = study_name(self.spec) + ending
                study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
                self._studies[kind] = storage.get_study_id_from_name(name)
                for known in study.get_trials(deepcopy=False):
                    label = known.user_attrs.get("label")
                    if label is None:
                        continue
                    self._trials[label] = known._trial_id
                    self._steps[label] = set(known.intermediate_values)
                    if known.state is not TrialState.RUNNING:
                        self._ended.add(label)
            self._storage = storage
        return self._storage


def open_storage(uri: str) -> optuna.storages.RDBStorage:
    """The database at `uri`, with Optuna's tables made if they are missing. Raises what SQLAlchemy and drivers do."""
    return optuna.storages.RDBStorage(_driven(uri), engine_kwargs=_engine(uri))


def set_aside(folder: Path, say: Callable[[str], object]) -> None:
    """Move a default database that is damaged out of the way: it is made anew from the journal."""
    file = folder / "study.db"
    if not file.is_file():
        return
    try:
        connection = sqlite3.connect(file)
        try:
            verdict = str(connection.execute("pragma quick_check").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:  # somebody holds it, or the disk is away: that is no damage
        return
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        aside = next(place for n in range(1, 1000) if not (place := file.with_suffix(f".damaged-{n}")).exists())
        shutil.move(file, aside)
        say(f"{file} is damaged ({verdict}): kept as {aside.name}, and made anew from the journal")


def _driven(uri: str) -> str:
    """A bare ``postgresql://`` by psycopg 3, which `raykd[cluster]` installs; SQLAlchemy would look for psycopg2."""
    scheme, separator, rest = uri.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in ("postgresql", "postgres") else uri


def _engine(uri: str) -> dict[str, object]:
    """A server that went away is found out by asking before each use, and not waited for longer than 10 s."""
    if uri.startswith("sqlite"):
        return {}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
