"""One worker of two that contrast together, run by test_crd.py: ``python -m tests.methods.crd_pair FOLDER RANK``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from raykd.methods.crd import Contrast, CRDParameters


def contrast(rows: int = 9, **draw: Any) -> Contrast:
    """The same one each time, for students 6 wide and teachers 5 wide."""
    torch.manual_seed(0)
    return Contrast(rows, 6, 5, CRDParameters.model_validate({"width": 4, "negatives": 3, **draw}))


def vectors(seed: int = 1) -> tuple[Tensor, Tensor]:
    """Of three samples."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 6, generator=generator), torch.randn(3, 5, generator=generator)


def main(folder: Path, rank: int) -> None:
    """Two steps under DDP on rows of its own; leaves the state of the module."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    module = DistributedDataParallel(contrast())
    for step in range(2):
        torch.manual_seed(10 * step + rank)
        student, teacher = vectors(seed=10 * step + rank)
        module(student, teacher, torch.tensor([[4, 0, 2], [1, 8, 5]])[rank]).backward()
    torch.save(module.module.state_dict(), folder / f"state-{rank}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
