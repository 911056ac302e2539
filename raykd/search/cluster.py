"""(placeholder until the real one is written)"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray


@contextmanager
def session(address: str | None, environment: dict[str, str], *, cpus: int | None = None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    ray.init(
        num_cpus=cpus or (os.cpu_count() or 1) + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
        runtime_env={"env_vars": environment, "worker_process_setup_hook": "raykd.train.notice.listen"},
    )
    try:
        yield
    finally:
        ray.shutdown()
