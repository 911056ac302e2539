"""The sweep on Ray Tune: trials in reused actors, decisions from the ledger.

Ray runs trials; it does not remember them. Its searcher and scheduler here only pass events to the conductor, so what
is written down is what happened, and a resumed sweep needs none of Ray's pickled state.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raykd.cpus import OMP, WAIT
from raykd.search.conductor import Conductor
from raykd.search.orphans import Janitor
from raykd.search.reserve import Reserve
from raykd.search.spec import SweepSpec
from raykd.train.outcome import Lost
from raykd.train.ray_trial import ERROR, REPORT, VERDICTS, Verdicts, tune_trial

os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the journal holds what they would write again
os.environ.setdefault("RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE", "1")  # or Tune would start such a trial again itself
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")  # nor is Ray's own picture of the sweep ever read
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # the sweep hears signals itself, and must know of them

import ray
from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import NoopStopper, Stopper
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

MEMORY = OutOfMemoryError.__name__
REMEMBERED = 500
OWN = re.compile(r"ray-[0-9a-f]{32}")  # what Ray Tune writes of a sweep, which nobody reads


class LedgerSearch(Searcher):
    """Ray's view of the ledger's proposals: a trial's configuration is its specification."""

    def __init__(self, conductor: Conductor, reserve: Reserve | None) -> None:
        super().__init__()
        self.conductor, self.reserve = conductor, reserve
        self.labels: dict[str, str] = {}
        self.losses: dict[str, tuple[str, str]] = {}  # by Ray's name of a trial: why it lost its worker

    def suggest(self, trial_id: str) -> Any:
        """The next trial's specification, or FINISHED. While trials run there may be more: one may lose its worker."""
        if self.reserve is not None:
            self.reserve.check()
        spec = self.conductor.start()
        if spec is None:
            return None if self.labels and not self.conductor.stopped else Searcher.FINISHED
        self.labels[trial_id] = spec.label
        if self.reserve is not None:
            self.reserve.began(spec.label)
        return {"spec": spec.model_dump(mode="json")}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on how the trial ended: by its own word, by a lost worker, or by an interruption of the sweep."""
        label = self.labels.pop(trial_id, None)
        if label is None:
            return
        said = result or {}
        if error:
            self.conductor.lost(label, *self.losses.pop(trial_id, ("died", "no reason is known")))
        elif ERROR in said:
            self.conductor.failed(label, said[ERROR])
        elif label not in self.conductor.ledger.running or (
            REPORT in said and json.loads(said[REPORT])["progress"] == 1.0
        ):
            self.conductor.finished(label)
        if self.reserve is not None:
            self.reserve.ended(label)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles its configuration for a restore that raykd never does; open files cannot go along.
        return (Searcher, ())


class LedgerScheduler(FIFOScheduler):
    """Runs trials in order and stops those that the ledger stops. answer: tells a group whether it may go on."""

    def __init__(self, search: LedgerSearch, answer: Callable[[str, int, bool], object] | None) -> None:
        super().__init__()
        self.search, self.answer = search, answer

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Write the report down and decide."""
        label = self.search.labels.get(trial.trial_id)
        if label is None or REPORT not in result or ERROR in result:
            return TrialScheduler.CONTINUE
        report = json.loads(result[REPORT])
        stop = self.search.conductor.reported(label, report)
        if self.answer is not None:
            # A worker group must end itself: stopped from outside, it can leave its resources reserved for ever.
            self.answer(label, report["evaluation"], not stop)
            return TrialScheduler.CONTINUE
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The first trial that waits. Tune asks this at every turn, and looks at every trial there ever was."""
        _forget(tune_controller)
        chosen: Trial | None = super().choose_trial_to_run(tune_controller)
        return chosen

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Ray saw an error by itself: the trial's worker is gone. Keep why, for what is asked next."""
        file = trial.pickled_error_file  # Ray's own, written by this process a moment ago
        self.search.losses[trial.trial_id] = loss_of(ray.cloudpickle.loads(Path(file).read_bytes()) if file else None)

    def __reduce__(self) -> tuple[Any, ...]:
        return (FIFOScheduler, ())


class AsRequested(Stopper):
    """Ends the sweep, as a time budget does, when the process is asked to end."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self._asked = asked

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never a single trial."""
        return False

    def stop_all(self) -> bool:
        """Tune asks at every turn."""
        return self._asked()

    def __reduce__(self) -> tuple[Any, ...]:
        return (NoopStopper, ())


class Silent(TrialProgressCallback):
    """Takes the place of Tune's own, which prints nothing here and remembers every trial all the same."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def _forget(tune_controller: Any) -> None:
    """Let go of all but the last REMEMBERED trials: Tune keeps every one, some 40 KiB each, for a result grid that
    nobody reads here. Word of a trial's actor may come for a while after its end, so those last ones stay."""
    trials = tune_controller.get_trials()  # the list itself
    if len(trials) < 2 * REMEMBERED:
        return
    controller = tune_controller._tune_controller  # behind what schedulers are given, which hides the rest
    old = {trial for trial in trials[:-REMEMBERED] if trial.is_finished()} - controller._trial_to_actor.keys()
    trials[:] = [trial for trial in trials if trial not in old]
    for known in (
        controller._live_trials,
        controller._stopped_trials,
        controller._failed_trials,
        controller._trials_to_cache,
    ):
        known.difference_update(old)
    for trial in old:
        controller._trial_metadata.pop(trial.trial_id, None)


def loss_of(error: BaseException | None) -> tuple[str, str]:
    """Why a worker was lost, in one word and one line."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    if isinstance(error, Lost):
        return error.why, error.said
    text = str(error or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason is known"]
    if lines[0].startswith(MEMORY):
        return "memory", lines[0]
    planned = isinstance(error, RayActorError) and (error.preempted or "terminated expectedly" in text)
    telling = (line for line in lines if "exit" in line or "terminated" in line)
    return "preempted" if planned else "died", next(telling, lines[0])


def _tolerate_memory_kills() -> None:
    """Ray's memory monitor kills a worker by an error that Tune does not know, and ends the whole sweep for it.

    Here it becomes the loss of a worker like any other.
    """
    known = RayActorManager._actor_task_failed

    def tolerant(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if not isinstance(exception, (RayActorError, RayTaskError)):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        known(self, tracked_actor_task, exception)

    if known.__name__ != tolerant.__name__:
        RayActorManager._actor_task_failed = tolerant  # type: ignore[method-assign]


def worker_environment(threads: int) -> dict[str, str]:
    """What every worker process needs set before it imports torch or transformers."""
    return {
        OMP: str(threads),
        WAIT: "PASSIVE",
        "HF_HUB_OFFLINE": "1",  # everything was fetched before the first trial
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # the trial hears of it itself
        "RAY_TRAIN_METRICS_ENABLED": "0",
    }


def run(
    conductor: Conductor,
    spec: SweepSpec,
    folder: Path,
    *,
    time_budget: float | None,
    reserve: Reserve | None = None,
    asked: Callable[[], bool] = lambda: False,
) -> None:
    """Run the sweep until its trials are done, `time_budget` (seconds) is over, of which `reserve` keeps some, or it is
    asked to end."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failed trial gets its own line
    search = LedgerSearch(conductor, reserve)
    alone = spec.workers == 1
    # The driver of a group only waits: a byte of memory, so that the workers may take every core.
    per_trial = {"CPU": float(spec.threads), "GPU": spec.gpus_per_worker} if alone else {"memory": 1.0}
    for left in folder.glob("ray-*"):  # of a driver that was killed; this one alone holds the sweep
        if OWN.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / f"ray-{uuid.uuid4().hex}"
    answer = None if alone else _verdicts()
    _tolerate_memory_kills()
    tuner = tune.Tuner(
        tune.with_resources(tune_trial, tune.PlacementGroupFactory([per_trial])),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=LedgerScheduler(search, answer),
            num_samples=-1,
            max_concurrent_trials=spec.concurrency,
            reuse_actors=alone,
            time_budget_s=time_budget,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=own.name,
            storage_path=str(folder.resolve()),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[Silent()],
            stop=AsRequested(asked),
        ),
    )
    try:
        with Janitor():
            tuner.fit()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _verdicts() -> Callable[[str, int, bool], object]:
    """The actor that carries verdicts to groups, on this machine: as long as the driver lives, it does."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Verdicts).options(name=VERDICTS, num_cpus=0, scheduling_strategy=here).remote()
    return lambda label, evaluation, go_on: actor.give.remote(label, evaluation, go_on)  # type: ignore[attr-defined]
