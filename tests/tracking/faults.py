"""An MLflow whose every call may fail, before or after it took effect, on a database that is real."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import pytest

CALLS = (
    "create_experiment", "create_registered_model", "create_run", "get_experiment_by_name", "get_metric_history",
    "get_run", "log_artifact", "log_batch", "log_metric", "search_model_versions", "search_runs",
    "set_registered_model_alias", "set_tag", "set_terminated", "update_run",
)  # fmt: skip


def flaky(monkeypatch: pytest.MonkeyPatch, source: random.Random, *, chance: float) -> list[str]:
    """Lets each call of any MlflowClient raise ConnectionError, by `chance` before it took effect and as often after.

    Returns the list in which every failure is noted as it happens.
    """
    from mlflow import MlflowClient

    failures: list[str] = []

    def fail(when: str, name: str) -> None:
        if source.random() < chance:
            failures.append(f"{when} {name}")
            raise ConnectionError(failures[-1])

    def wrap(name: str, known: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(known)
        def call(*args: Any, **kwargs: Any) -> Any:
            fail("before", name)
            result = known(*args, **kwargs)
            fail("after", name)
            return result

        return call

    for name in CALLS:
        monkeypatch.setattr(MlflowClient, name, wrap(name, getattr(MlflowClient, name)))
    return failures
