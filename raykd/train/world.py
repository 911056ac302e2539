"""The group of workers that trains together; one worker is a group of one and pays nothing for it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from raykd.seeds import derive_seed


@dataclass(frozen=True)
class World:
    """This worker's rank among `size`.

    attend: what the others do while the main worker reports; Ray Train's report waits for every worker's.
    """

    rank: int = 0
    size: int = 1
    attend: Callable[[], object] = lambda: None

    @property
    def main(self) -> bool:
        """Whether this worker is the one that evaluates, writes and reports."""
        return self.rank == 0

    def seed(self, seed: int, step: int) -> None:
        """Start this worker's random generators, each worker's differently: else all would drop out the same units."""
        number = derive_seed(seed, "worker", self.rank, step)
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002 - the legacy state is the one libraries draw from
        torch.manual_seed(number)

    def wrap(self, module: nn.Module) -> nn.Module:
        """`module` under DDP when there are several workers.

        Stages may leave parameters untouched for a while (a projection of a later stage), so unused ones are looked
        for in every backward pass.
        """
        return DistributedDataParallel(module, find_unused_parameters=True) if self.size > 1 else module

    def exchange(self, wrapped: nn.Module, *, now: bool) -> contextlib.AbstractContextManager[None]:
        """Within it, a backward pass shares gradients only if `now`: once a step, at its last micro-batch."""
        if isinstance(wrapped, DistributedDataParallel) and not now:
            return wrapped.no_sync()
        return contextlib.nullcontext()

    def share(self, module: nn.Module) -> None:
        """Give every worker the main worker's weights of `module`."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def average(self, gradients: list[torch.Tensor]) -> None:
        """Average tensors over the workers, in place; for a module that DDP does not wrap."""
        if self.size > 1:
            for gradient in gradients:
                dist.all_reduce(gradient)
                gradient /= self.size

    def agree(self, flag: bool) -> bool:
        """The main worker's `flag`, on every worker."""
        if self.size == 1:
            return flag
        sent = torch.tensor([int(flag)], device=_wire())
        dist.broadcast(sent, src=0)
        return bool(sent.item())

    def anyone(self, flag: bool) -> bool:
        """Whether any worker's `flag` is set, on every worker."""
        if self.size == 1:
            return flag
        told = torch.tensor([int(flag)], device=_wire())
        dist.all_reduce(told, op=dist.ReduceOp.MAX)
        return bool(told.item())

    def give(self, tensors: dict[str, torch.Tensor], about: Any) -> tuple[dict[str, torch.Tensor], Any]:
        """What the main worker was given, on every worker; tensors come on the CPU."""
        if self.size == 1:
            return tensors, about
        sent = [about, {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}]
        dist.broadcast_object_list(sent, src=0)
        received: dict[str, torch.Tensor] = {}
        for name, (shape, dtype) in sent[1].items():
            tensor = tensors[name].to(_wire()) if self.main else torch.empty(shape, dtype=dtype, device=_wire())
            dist.broadcast(tensor, src=0)
            received[name] = tensor.cpu()
        return received, sent[0]


def joined(attend: Callable[[], object] = lambda: None) -> World:
    """The process group this process belongs to, or a world of one."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size(), attend)
    return World()


def _wire() -> str:
    """Where tensors must lie to be sent."""
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
