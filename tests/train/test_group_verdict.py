"""What became of a group, from what Ray says of its workers."""

from __future__ import annotations

import pickle

import pytest
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError
from ray.train.v2.api.exceptions import WorkerGroupError

from raykd.train.leave import Preempted
from raykd.train.ray_trial import _verdict_on

PEER = RuntimeError("Connection closed by peer")  # what the others see of one that is lost
GONE = WorkerHealthCheckFailedError("A worker health check failed.", RayActorError(error_msg="The actor died: x"))


@pytest.mark.parametrize("travelled", [False, True])
@pytest.mark.parametrize(
    ("failure", "why", "said"),
    [
        (GONE, "died", "The actor died: x"),
        (WorkerHealthCheckFailedError("m", OutOfMemoryError("killed, memory is low")), "memory", "memory is low"),
        (WorkerHealthCheckTimeoutError("hanging for 600 seconds"), "died", "hanging"),
        (Preempted("left before step 3"), "preempted", "left before step 3"),
        (ValueError("a bad value"), "failed", "RuntimeError: Connection closed by peer"),
    ],
)
def test_one_of_two_workers(failure: Exception, why: str, said: str, travelled: bool) -> None:
    error: Exception = WorkerGroupError("the group failed", {0: PEER, 1: failure})
    if travelled:  # as from Ray's controller, an actor of its own
        error = pickle.loads(pickle.dumps(error))
    verdict = _verdict_on(error)
    assert verdict[0] == why
    assert said in verdict[1]
