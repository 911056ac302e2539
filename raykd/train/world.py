"""The group of workers that trains together; one worker is a group of one and pays nothing for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """This worker's rank among `size`."""

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this worker is the one that evaluates, writes and reports."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """`module` under DDP when there are several workers.

        Stages may leave parameters untouched for a while (a projection of a later stage), so unused ones are looked
        for in every backward pass.
        """
        return DistributedDataParallel(module, find_unused_parameters=True) if self.size > 1 else module

    def agree(self, flag: bool) -> bool:
        """The main worker's `flag`, on every worker."""
        if self.size == 1:
            return flag
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        sent = torch.tensor([int(flag)], device=device)
        dist.broadcast(sent, src=0)
        return bool(sent.item())


def joined() -> World:
    """The process group this process belongs to, or a world of one."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size())
    return World()
