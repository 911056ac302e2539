"""A trial inside Ray: alone in a reused Tune actor, or as a group of Ray Train workers.

A trial that fails says why in its last report and returns; so an error that Ray sees means that a worker was lost, and
that the trial is not to blame. A single worker is stopped by Tune. A group is not: it asks for a verdict after
each report and ends by itself, since a group stopped from outside can leave its placement group reserved and the sweep
waiting for ever.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from raykd.storage import is_url
from raykd.train.claim import Claim
from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.notice import leave_notice
from raykd.train.outcome import Lost, outcome_of
from raykd.train.placed import placed
from raykd.train.told import Told
from raykd.train.trial import run_trial
from raykd.train.world import World, joined

# What a trial's results are called in Ray's. A report is sent as JSON: Ray would take it apart.
REPORT, ERROR = "report", "error"
VERDICTS = "raykd-verdicts"  # the actor's name, in the sweep's own namespace
DISK_PATIENCE_S = 600.0  # a full disk is waited for as long as this
DISK_PAUSE_S = 5.0


def tune_trial(config: dict[str, Any]) -> None:
    """The function Tune runs: one trial, its reports sent to Tune, the last one saying why if it could not go on."""
    from ray import tune

    spec = TrialSpec.model_validate(config["spec"])
    try:
        if spec.workers == 1:
            with leave_notice() as leave:
                _run(spec, _to_tune, leave)
        else:
            _run_group(spec)
    except Exception as error:
        why, said = _verdict_on(error)
        if why != "failed":
            raise Lost(why, said) from None
        tune.report({ERROR: said})


def _run(
    spec: TrialSpec, report: Callable[[Report], bool], leave: Callable[[], bool], world: World | None = None
) -> None:
    """One worker's part of the trial, with its folders here; waits for space where the disk is full."""
    end = time.monotonic() + DISK_PATIENCE_S
    claim = Claim(spec.folder) if world is None or world.main else None

    def go() -> bool:
        if claim is not None:
            claim.check()
        return leave()

    with placed(spec) as (local, saved):
        kept = Told(local) if claim is not None and is_url(spec.folder) else None

        def tell(done: Report) -> bool:
            if kept is not None:
                kept.add(done)
            return report(done)

        while True:
            try:
                run_trial(local, tell, saved=saved, leave=go, world=world)
                return
            except Exception as error:
                if outcome_of(error)[0] != "disk" or spec.workers > 1 or time.monotonic() > end:
                    raise
            time.sleep(DISK_PAUSE_S)  # then on from the last checkpoint


def _to_tune(report: Report) -> bool:
    from ray import tune

    tune.report({REPORT: json.dumps(asdict(report))})
    return True  # Tune ends the actor's function by itself when the trial is to stop


def _run_group(spec: TrialSpec) -> None:
    from ray.train.torch import TorchConfig
    from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.torch.torch_trainer import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    resources = {"CPU": float(spec.threads)} | ({"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {})
    # A group that loses a worker ends; the sweep starts the trial again. Were Ray to do so too, two groups of one trial
    # would run at once.
    never = FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0)
    with scratch() as place:
        trainer = TorchTrainer(
            _group_worker,
            train_loop_config=spec.model_dump(mode="json"),
            torch_config=TorchConfig(backend="nccl" if spec.gpus_per_worker else "gloo"),
            scaling_config=ScalingConfig(
                num_workers=spec.workers, use_gpu=spec.gpus_per_worker > 0, resources_per_worker=resources
            ),
            run_config=RunConfig(
                name=spec.label,
                storage_path=place,
                failure_config=never,
                callbacks=[TuneReportCallback()],
            ),
        )
        # Each group would start a detached actor that outlives it where there is no dashboard; the driver removes what
        # a killed group leaves (raykd.search.orphans.free_orphans).
        default = trainer._create_default_callbacks
        unwanted = ("PlacementGroupCleanerCallback", "DatasetsCallback")
        trainer._create_default_callbacks = lambda: [c for c in default() if type(c).__name__ not in unwanted]  # type: ignore[method-assign]
        trainer.fit()


@contextmanager
def scratch() -> Iterator[str]:
    """A folder for what Ray Train notes of a run; raykd reads none of it."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="raykd-group-", ignore_cleanup_errors=True) as folder:
        yield folder


def _group_worker(config: dict[str, Any]) -> None:
    import ray
    import ray.train

    spec = TrialSpec.model_validate(config)

    def to_train(report: Report) -> bool:
        ray.train.report({REPORT: json.dumps(asdict(report))})
        # At the end too: a group that ends while its last report is on the way loses it.
        return bool(ray.get(ray.get_actor(VERDICTS).wait.remote(spec.label, report.evaluation)))

    with leave_notice() as leave:
        _run(spec, to_train, leave, joined(attend=lambda: ray.train.report({})))


class Verdicts:
    """An actor through which the driver answers the reports of groups, wherever their workers run."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], asyncio.Future[bool]] = {}

    def _answer(self, label: str, evaluation: int) -> asyncio.Future[bool]:
        return self._given.setdefault((label, evaluation), asyncio.get_running_loop().create_future())

    async def give(self, label: str, evaluation: int, go_on: bool) -> None:
        """The driver's answer to report `evaluation` of trial `label`."""
        answer = self._answer(label, evaluation)
        if not answer.done():
            answer.set_result(go_on)

    async def wait(self, label: str, evaluation: int) -> bool:
        """That answer, once it is given."""
        return await self._answer(label, evaluation)


def _verdict_on(error: Exception) -> tuple[str, str]:
    """What became of a trial, of a group by all of its workers: when one is lost, the others fail at talking to it."""
    from ray.exceptions import RayActorError, RayTaskError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError
    from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

    if isinstance(error, (RayActorError, ControllerError)):  # Ray's own part of the group is gone
        return "died", str(error).strip().splitlines()[0]
    if not isinstance(error, WorkerGroupError):
        return outcome_of(error)
    found: list[tuple[str, str]] = []
    for _, failure in sorted(error.worker_failures.items()):
        if isinstance(failure, (WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError)):
            found.append(_gone(failure))
            continue
        cause: BaseException = failure
        if isinstance(failure, RayTaskError) and isinstance(failure.cause, BaseException):
            cause = failure.cause
        while cause.__cause__ is not None:
            cause = cause.__cause__
        gone = isinstance(cause, RayActorError)
        found.append(("died", str(cause).strip().splitlines()[0]) if gone else outcome_of(cause))
    order = ["preempted", "memory", "disk", "died", "failed"]
    return min(found, key=lambda verdict: order.index(verdict[0]), default=outcome_of(error))


def _gone(failure: Exception) -> tuple[str, str]:
    """A worker that no longer answers Ray. What Ray saw stands in an attribute: a cause is lost where it is pickled."""
    from ray.exceptions import OutOfMemoryError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

    seen = failure.health_check_failure if isinstance(failure, WorkerHealthCheckFailedError) else failure
    lines = str(seen).strip().splitlines() or [type(seen).__name__]
    return "memory" if isinstance(seen, OutOfMemoryError) else "died", lines[0]
