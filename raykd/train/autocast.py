"""The precision of a forward pass."""

from __future__ import annotations

import contextlib

import torch


def autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """bf16 where the accelerator computes in it; on CPUs it is measured to be many times slower than float32."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
