"""A run asked to leave its machine (spot preemption, a drained node) goes at the next step and loses nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch

from raykd.train.world import World

GROUP_ASKS = 8  # steps: on accelerators a group's answer makes each of them wait


class Preempted(Exception):
    """The run left because it was asked to. Says at which step; the checkpoint of that step stands."""


class Leaving:
    """Whether to go, asked before each step.

    A group goes when any of its workers is asked to, since any of them may sit on the machine that goes away, and all
    go at the same step. On CPUs it talks about it before every step, a number beside the megabytes of gradients; on
    accelerators before every eighth.
    """

    def __init__(self, leave: Callable[[], bool], world: World, device: torch.device) -> None:
        self._leave, self._world = leave, world
        self._every = 1 if world.size == 1 or device.type == "cpu" else GROUP_ASKS

    def now(self, step: int) -> bool:
        """Before 0-based `step`; every worker of a group asks at the same steps."""
        return step % self._every == 0 and self._world.anyone(self._leave())
