"""When a run's checkpoints are written, and what it goes on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from raykd.train.checkpoint import latest, load, save
from raykd.train.state import Position, State, put_back, take
from raykd.train.tally import Tally
from raykd.train.world import World


class Keeper:
    """The checkpoints of one run under `folder`, which the main worker alone reads and writes.

    saved is called after each checkpoint stands. every: seconds from one checkpoint to the next, and as many times
    more as writing one takes seconds, so that at most a thirtieth of a run (at 30) goes into them.
    """

    def __init__(
        self,
        folder: Path,
        module: nn.Module,
        optimizers: Sequence[Optimizer],
        tally: Tally,
        world: World,
        *,
        every: float,
        saved: Callable[[], object],
    ) -> None:
        self._folder, self._module, self._optimizers, self._tally = folder, module, optimizers, tally
        self._world, self._every, self._saved = world, every, saved
        self._last, self._cost = time.monotonic(), 0.0
        self.stands = 0  # the step of the newest checkpoint; 0 needs none

    def resume(self, device: torch.device) -> Position:
        """Put the run where its newest whole checkpoint left it, on every worker; the start where there is none."""
        found = latest(self._folder) if self._world.main else None
        state = load(found) if found is not None else None
        tensors, about = self._world.give(*((state.tensors, state.about) if state is not None else ({}, None)))
        if about is None:
            return Position(0, 0, 0.0)
        position = put_back(State(tensors, about), self._module, self._optimizers, self._tally, device)
        self.stands = position.step
        return position

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self._every * max(1.0, self._cost)

    def keep(self, position: Position) -> None:
        """Write one now, if the one of this step does not stand already. Raises OSError (see `save`)."""
        if position.step == self.stands:
            return
        begun = time.monotonic()
        save(self._folder, take(self._module, self._optimizers, position, self._tally))
        self._saved()
        self.stands, self._last = position.step, time.monotonic()
        self._cost = self._last - begun
