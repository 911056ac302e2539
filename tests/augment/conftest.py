"""A saved tiny masked language model, and how often it was loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raykd.augment import make, shards
from tests.augment.toys import save_lm

Loads = list[Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices gain nothing from threads, and wait for them on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def lm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved once a session; tests must not write into it."""
    return save_lm(tmp_path_factory.mktemp("masked_lm"))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """The folders models were loaded from. Shards have two texts."""
    seen: Loads = []
    load = make.load_masked_lm

    def counted(folder: Path) -> Any:
        seen.append(folder)
        return load(folder)

    monkeypatch.setattr(make, "load_masked_lm", counted)
    monkeypatch.setattr(shards, "SIZE", 2)
    return seen
