"""A trial inside Ray: alone in a reused Tune actor, or as a group of Ray Train workers. The one file of `train` that
imports Ray.

A single worker is stopped by Tune. A group is not: it asks for a verdict after each report and ends by itself, since
a group stopped from outside can leave its placement group reserved and the sweep waiting for ever.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raykd.train.config import TrialSpec
from raykd.train.loop import Report
from raykd.train.trial import run_trial
from raykd.train.world import joined

VERDICT_WAIT = 120.0  # seconds a group waits for the driver's word before it goes on without


def tune_trial(config: dict[str, Any]) -> None:
    """The function Tune runs: one trial, its reports sent to Tune, its error left in ``error.txt``."""
    spec = TrialSpec.model_validate(config["spec"])
    folder = Path(spec.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "error.txt").unlink(missing_ok=True)
    try:
        if spec.workers == 1:
            run_trial(spec, _to_tune)
        else:
            _run_group(spec)
    except Exception as error:
        (folder / "traceback.txt").write_text(traceback.format_exc())
        _write(folder / "error.txt", f"{type(error).__name__}: {error}")
        raise


def _to_tune(report: Report) -> bool:
    from ray import tune

    tune.report({key: value for key, value in asdict(report).items() if key != "metrics"})
    return True  # Tune ends the actor's function by itself when the trial is to stop


def _run_group(spec: TrialSpec) -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    scratch = Path(spec.folder) / "ray"
    resources = {"CPU": float(spec.threads)} | ({"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {})
    trainer = TorchTrainer(
        _group_worker,
        train_loop_config=spec.model_dump(mode="json"),
        torch_config=TorchConfig(backend="nccl" if spec.gpus_per_worker else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=spec.workers, use_gpu=spec.gpus_per_worker > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(name=spec.label, storage_path=str(scratch), callbacks=[TuneReportCallback()]),  # type: ignore[list-item]
    )
    try:
        trainer.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _group_worker(config: dict[str, Any]) -> None:
    import ray.train

    spec = TrialSpec.model_validate(config)
    folder = Path(spec.folder)

    def to_train(report: Report) -> bool:
        (folder / f"verdict-{report.evaluation}").unlink(missing_ok=True)
        ray.train.report({key: value for key, value in asdict(report).items() if key != "metrics"})
        return report.progress == 1.0 or _verdict(folder, report.evaluation)

    run_trial(spec, to_train, world=joined(attend=lambda: ray.train.report({})))


def send_verdict(folder: Path, evaluation: int, *, stop: bool) -> None:
    """The driver's answer to report `evaluation` of the group trial in `folder`."""
    _write(folder / f"verdict-{evaluation}", json.dumps({"go_on": not stop}))


def _verdict(folder: Path, evaluation: int) -> bool:
    file = folder / f"verdict-{evaluation}"
    end = time.monotonic() + VERDICT_WAIT
    while not file.is_file():
        if time.monotonic() > end:
            return True
        time.sleep(0.02)
    go_on = bool(json.loads(file.read_text())["go_on"])
    file.unlink()
    return go_on


def _write(file: Path, text: str) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, file)
