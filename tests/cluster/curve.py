"""A driver that trains one trial in three arrangements: ``python -m tests.cluster.curve ADDRESS SPEC OUT``.

One worker; two on one node; two on two nodes. Writes the reports of each, with the loss over all workers' rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from raykd.train.config import TrialSpec

ARRANGEMENTS = {"one": (1, "PACK"), "together": (2, "STRICT_PACK"), "apart": (2, "STRICT_SPREAD")}


def worker(config: dict[str, Any]) -> None:
    """A worker of a group as raykd runs it, but that the loss reported is that of the whole batch."""
    import ray.train
    import ray.util
    import torch.distributed as dist
    from torch import Tensor

    from raykd.train.loop import Report
    from raykd.train.tally import Tally
    from raykd.train.trial import run_trial
    from raykd.train.world import joined

    spec = TrialSpec.model_validate(config["spec"])
    add = Tally.add

    def add_all(self: Tally, measured: dict[str, Tensor]) -> None:
        for value in measured.values() if dist.is_initialized() else ():
            dist.all_reduce(value)
            value /= dist.get_world_size()
        add(self, measured)

    def report(done: Report) -> bool:
        reports.append({"step": done.step, **done.metrics})
        ray.train.report({})
        return True

    Tally.add = add_all  # type: ignore[method-assign, assignment]
    reports: list[dict[str, float]] = []
    world = joined(attend=lambda: ray.train.report({}))
    run_trial(spec, report, world=world)
    out = Path(config["out"])
    (out / f"{spec.label}-{world.rank}.node").write_text(ray.util.get_node_ip_address())
    if world.main:
        (out / f"{spec.label}.json").write_text(json.dumps(reports))


def main(address: str, spec: TrialSpec, out: Path) -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from raykd.search.cluster import session
    from raykd.search.ray_tune import worker_environment

    with session(address, worker_environment(1)):
        for label, (workers, strategy) in ARRANGEMENTS.items():
            this = spec.model_copy(update={"label": label, "folder": str(out / label), "workers": workers})
            TorchTrainer(
                worker,
                train_loop_config={"spec": this.model_dump(mode="json"), "out": str(out)},
                torch_config=TorchConfig(backend="gloo"),
                scaling_config=ScalingConfig(
                    num_workers=workers, resources_per_worker={"CPU": 1.0}, placement_strategy=strategy
                ),
                run_config=RunConfig(name=label, storage_path=str(out / "ray")),
            ).fit()


if __name__ == "__main__":
    main(sys.argv[1], TrialSpec.model_validate_json(Path(sys.argv[2]).read_text()), Path(sys.argv[3]))
