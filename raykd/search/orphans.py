"""Placement groups that outlive what they were made for.

When a process that started a worker group is killed, Ray keeps the group's resources reserved for as long as the
sweep's job lives, and the next group waits for them for ever.
"""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType

LOOK_EVERY_S = 1.0


class Janitor:
    """Removes them while the block runs, on a thread of its own."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raykd-janitor", daemon=True)

    def __enter__(self) -> Janitor:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            with contextlib.suppress(Exception):  # Ray may be away for a moment; it is looked again in a second
                free_orphans()


def free_orphans() -> int:
    """Remove the placement groups that dead actors of this job made; returns how many there were.

    Tune's own are made by the driver, and so belong to no actor. Ray's public table does not tell who made a group.
    """
    import ray
    from ray.core.generated import gcs_pb2
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    job, found = ray.get_runtime_context().get_job_id(), 0
    for raw in ray._private.state.state._connect_and_get_accessor().get_placement_group_table():
        group = gcs_pb2.PlacementGroupTableData.FromString(raw)  # type: ignore[attr-defined]  # generated
        if (
            group.creator_job_id.hex() == job
            and group.creator_actor_dead
            and not ray.ActorID(group.creator_actor_id).is_nil()
            and group.state != group.REMOVED
        ):
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
            found += 1
    return found
