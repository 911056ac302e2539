"""Stops a run whose loss is no longer a number, at the step where it happened."""

from __future__ import annotations

import math

import torch
from torch import Tensor

READ_EVERY = 50  # steps, on an accelerator: each reading makes it wait


class NonFiniteLoss(RuntimeError):
    """The loss or its gradient became NaN or infinite. Says at which step, and what the last good loss was."""


class Watch:
    """Keeps each step's loss and gradient norm on the device until they are read, so that steps need not wait.

    On a CPU nothing waits: every step is read, before its update is made.
    """

    def __init__(self, first_step: int, total: int, device: torch.device) -> None:
        """first_step: number of the first step to come, 1-based; total: the run's steps."""
        self._next = first_step
        self._total = total
        self._every = 1 if device.type == "cpu" else READ_EVERY
        self._unread: list[Tensor] = []
        self._good = math.nan

    def add(self, loss: Tensor, norm: Tensor, *, read: bool) -> None:
        """Take note of one step; if it is time, or asked to `read`, raise NonFiniteLoss for the first bad one."""
        self._unread.append(torch.stack([loss, norm.to(loss.dtype)]))
        if read or len(self._unread) >= self._every:
            self.read()

    def read(self) -> None:
        """Look at every step not yet read: nothing bad goes into a checkpoint. Raises NonFiniteLoss."""
        if not self._unread:
            return
        for value, length in torch.stack(self._unread).tolist():
            # With several workers the norm is everybody's, so that all of them stop at the same step.
            if not (math.isfinite(value) and math.isfinite(length)):
                what = f"loss is {value}" if not math.isfinite(value) else f"gradient norm is {length}"
                good = "none yet" if math.isnan(self._good) else f"{self._good:.6g}"
                raise NonFiniteLoss(f"{what} at step {self._next} of {self._total}; last good value {good}")
            self._good = value
            self._next += 1
        self._unread.clear()
