"""The sweep on Ray Tune: trials in reused actors, decisions from the ledger.

Ray runs trials; it does not remember them. Its searcher and scheduler here only pass events to the conductor, so what
Optuna is told is what happened, and a resumed sweep needs none of Ray's pickled state.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raykd.search.conductor import Conductor
from raykd.search.spec import SweepSpec
from raykd.train.config import TrialSpec
from raykd.train.ray_trial import send_verdict, tune_trial

os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher


class LedgerSearch(Searcher):
    """Ray's view of the ledger's proposals: a trial's configuration is its specification."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__(metric="score", mode="max")
        self.conductor = conductor
        self.labels: dict[str, str] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial's specification, or FINISHED."""
        spec = self.conductor.start()
        if spec is None:
            return Searcher.FINISHED
        self.labels[trial_id] = spec.label
        return {"spec": spec.model_dump(mode="json")}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on how the trial ended: by its error file, its own word, or an interruption."""
        label = self.labels.pop(trial_id, None)
        if label is None:
            return
        message = self._error_of(label) if error else None
        finished = (result or {}).get("progress") == 1.0
        self.conductor.ended(label, finished=finished, error=message)

    def _error_of(self, label: str) -> str:
        file = self.conductor.ledger.folder / "trials" / label / "error.txt"
        return file.read_text().strip() if file.is_file() else "the worker died"

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study on disk is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles its configuration for a restore that raykd never does; open databases cannot go along.
        return (Searcher, ("score", "max"))


class LedgerScheduler(FIFOScheduler):
    """Runs trials in order and stops those that the ledger's pruner stops."""

    def __init__(self, search: LedgerSearch) -> None:
        super().__init__()
        self.search = search

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Write the report down and decide."""
        label = self.search.labels.get(trial.trial_id)
        if label is None or "evaluation" not in result:
            return TrialScheduler.CONTINUE
        report = {**result, "metrics": {}}
        stop = self.search.conductor.reported(label, report)
        spec = TrialSpec.model_validate(trial.config["spec"])
        if spec.workers > 1 and result["progress"] < 1.0:
            # A worker group must end itself: stopped from outside, it can leave its resources reserved for ever.
            send_verdict(Path(spec.folder), result["evaluation"], stop=stop)
            return TrialScheduler.CONTINUE
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def __reduce__(self) -> tuple[Any, ...]:
        return (FIFOScheduler, ())


@contextmanager
def ray_session(spec: SweepSpec) -> Iterator[None]:
    """A Ray instance for the sweep: one that is already there, else a local one that ends with it."""
    if ray.is_initialized():
        yield
        return
    # Ray announces its token authentication on stderr at every start.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    ray.init(
        # A group's driver asks for a sliver of a core beside its workers', which would not fit where they take all.
        num_cpus=(os.cpu_count() or 1) + (1 if spec.workers > 1 else 0),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
        runtime_env={"env_vars": worker_environment(spec.threads)},
    )
    try:
        yield
    finally:
        ray.shutdown()


def worker_environment(threads: int) -> dict[str, str]:
    """What every worker process needs set before it imports torch or transformers."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",  # everything was fetched before the first trial
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    }


def run(conductor: Conductor, spec: SweepSpec, folder: Path, *, time_budget: float | None) -> None:
    """Run the sweep until its trials are done or `time_budget` (seconds) is over."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failed trial gets its line and its traceback.txt
    search = LedgerSearch(conductor)
    per_trial = {"cpu": float(spec.threads), "gpu": spec.gpus_per_worker} if spec.workers == 1 else {"cpu": 0.01}
    tuner = tune.Tuner(
        tune.with_resources(tune_trial, per_trial),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=LedgerScheduler(search),
            num_samples=-1,
            max_concurrent_trials=spec.concurrency,
            reuse_actors=spec.workers == 1,
            time_budget_s=time_budget,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="ray", storage_path=str(folder.resolve()), verbose=0, failure_config=tune.FailureConfig(max_failures=0)
        ),
    )
    tuner.fit()
