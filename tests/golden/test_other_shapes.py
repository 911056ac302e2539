"""The checker reads what a file holds: a folder of other shapes and parameters, computed by plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raykd.losses import soft_cross_entropy
from tests.losses import naive

from .check import main

TEACHER_INDEX, STUDENT_INDEX = [3, 1], [0, 2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """ckd/ with an input set G: 2 matched layers out of order, 5 tokens, windows wider than the sentence."""
    folder = tmp_path / "ckd"
    folder.mkdir()
    generator = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        "t_hidden": generator.normal(size=(4, 3, 5, 6)).astype(np.float32),
        "s_hidden": generator.normal(size=(3, 3, 5, 4)).astype(np.float32),
        "attention_mask": np.array([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=np.int8),
        "t_logits": generator.normal(size=(3, 5)).astype(np.float32),
        "s_logits": generator.normal(size=(3, 5)).astype(np.float32),
        "temperature": np.array(9.0),
    }
    np.savez(folder / "inputs_G.npz", **inputs)

    def save(name: str, **arrays: Any) -> None:
        student = torch.tensor(inputs["s_hidden"], dtype=torch.float64, requires_grad=True)
        teacher = torch.tensor(inputs["t_hidden"], dtype=torch.float64)
        loss = reference(name, student[STUDENT_INDEX], teacher[TEACHER_INDEX], torch.tensor(inputs["attention_mask"]))
        (gradient,) = torch.autograd.grad(loss, student)
        results: dict[str, Any] = {
            "t_index": TEACHER_INDEX,
            "s_index": STUDENT_INDEX,
            "loss": loss.item(),
            "grad_s_hidden": gradient,
        }
        np.savez(folder / f"{name}__G.npz", inputs="inputs_G.npz", **results, **arrays)

    save("wr_dist_cos_kldiv")
    save("ltr_dist_cos_kldiv")  # of two layers: 0, as there is one other layer only
    save("wr_dist_sqeuclid_norm_smoothl1", normalized=True)
    save("ltr_dist_sqeuclid_raw_l1loss", normalized=False)
    save("wr_angle_window13_l1loss", delta=6, window=13)
    save("wr_angle_window3_l2loss")  # no array holds the window: its name does
    save("wr_angle_full_smoothl1")
    save("ltr_angle_l1loss")
    student, teacher = (torch.tensor(inputs[f"{whose}_logits"], dtype=torch.float64) for whose in "st")
    np.savez(
        folder / "kd_softce_T2__G.npz", inputs="inputs_G.npz", T=2.5, loss=soft_cross_entropy(student, teacher, 2.5)
    )
    return tmp_path


def reference(name: str, student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    states = (student, teacher, mask)
    how: dict[str, Any] = {"normalise": "norm" in name, "squared": True}
    losses = {
        "wr_dist_cos_kldiv": lambda: naive.word_pair_kl(*states),
        "ltr_dist_cos_kldiv": lambda: naive.layer_pair_kl(*states),
        "wr_dist_sqeuclid_norm_smoothl1": lambda: naive.word_pair_distance(*states, penalty="smooth_l1", **how),
        "ltr_dist_sqeuclid_raw_l1loss": lambda: naive.layer_pair_distance(*states, penalty="l1", **how),
        "wr_angle_window13_l1loss": lambda: naive.word_angle(*states, delta=6, penalty="l1"),
        "wr_angle_window3_l2loss": lambda: naive.word_angle(*states, delta=1, penalty="l2"),
        "wr_angle_full_smoothl1": lambda: naive.word_angle(*states, delta=None, penalty="smooth_l1"),
        "ltr_angle_l1loss": lambda: naive.layer_angle(*states, penalty="l1"),
    }
    return losses[name]()


def test_other_shapes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(root)])
    out = capsys.readouterr().out
    assert code == 0, out
    assert "ckd: 9 files, 33 cases, 0 failures" in out


def test_another_window_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "ckd" / "wr_angle_window13_l1loss__G.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "delta": 2, "window": 5})
    assert main([str(root)]) == 1
    assert "FAIL ckd/wr_angle_window13_l1loss__G.npz loss float64" in capsys.readouterr().out
