"""The precision the losses are computed in: at least float32, whatever the networks ran in."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their common dtype, float32 at least: bfloat16 and float16 become float32, float64 stays."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)


def without_autocast(tensor: Tensor) -> torch.autocast:
    """Autocast would run a matrix product in bfloat16 again, however wide its inputs are."""
    return torch.autocast(tensor.device.type, enabled=False)
