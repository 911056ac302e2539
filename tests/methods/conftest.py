"""Small tensors: one thread is quickest."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices gain nothing from threads, and wait for them on a busy machine."""
    torch.set_num_threads(1)
