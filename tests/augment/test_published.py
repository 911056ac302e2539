"""The checker of the published run: it passes on the reference, and fails where that is changed anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.cases import Arrays, read
from tests.golden.data_augmentation import INPUTS, check

FILE = Path("golden/ckd/data_augmentation.npz")


def save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def changed(array: np.ndarray) -> np.ndarray:
    """Another value in the array's last place; scores and vectors in the reverse order."""
    if array.dtype.kind == "f" and array.size > 1:
        return array[::-1].copy()
    other = array.copy().reshape(-1)
    other[-1] = "changed"[: array.dtype.itemsize // 4] if array.dtype.kind == "U" else other[-1] + 1
    return other.reshape(array.shape)


@pytest.fixture
def reference(shared: Path) -> Arrays:
    return read(shared / FILE)


def test_the_reference(shared: Path, reference: Arrays) -> None:
    cases = check(shared / FILE) or []
    assert len(cases) > len(reference) / 2
    assert [str(case) for case in cases if not (case.passed and case.covered)] == []
    assert check(shared / FILE.with_name("window_positions.npz")) is None


def test_any_change_is_found(reference: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "data_augmentation.npz"
    unnoticed = []
    for name in reference:
        save(path, {**reference, name: changed(reference[name])})
        if all(case.passed for case in check(path) or []):
            unnoticed.append(name)
    # another entry at the end of the vocabulary, another word or p: the same run here
    assert set(unnoticed) <= INPUTS - {"M", "N", "python_random_seed", "sentences", "glove_vectors", "pair_rows_in"}


def test_an_unknown_array_is_listed(reference: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "data_augmentation.npz"
    save(path, {**reference, "new": np.zeros(1), "s0_w0_candidates": np.array(["these"])})
    cases = {case.variant: case for case in check(path) or []}
    assert not cases["new"].covered
    assert cases["s0_w0_candidates"].covered
    assert not cases["s0_w0_candidates"].passed
