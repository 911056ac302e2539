"""The checker passes on the reference values, and can fail."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .check import CHECKS, INPUTS, check_all, main
from .ckd import UNCHECKED


def test_reference_values(shared: Path) -> None:
    outcomes, others = check_all(shared / "golden")
    assert [str(failure) for outcome in outcomes.values() for failure in outcome.failures] == []
    assert {name: outcome.uncovered for name, outcome in outcomes.items() if outcome.uncovered} == {}
    assert others == []
    assert sum(len(outcome.files) for outcome in outcomes.values()) == 124
    assert {name: outcome.cases for name, outcome in outcomes.items() if len(outcome.cases) < 4} == {}
    assert sum(len(outcome.cases) for outcome in outcomes.values()) >= 900


@pytest.mark.parametrize("folder", sorted(CHECKS))
def test_every_file_can_fail(shared: Path, tmp_path: Path, folder: str) -> None:
    """The largest entry of one result, changed by a little more than any tolerance, is found in every file."""
    shutil.copytree(shared / "golden" / folder, tmp_path / folder)
    given = INPUTS.get(folder, lambda path: None)
    inputs = {given(path) for path in (tmp_path / folder).glob("*.npz")}
    for path in sorted(set((tmp_path / folder).glob("*.npz")) - inputs):
        with np.load(path) as file:
            results = [
                name
                for name in file.files
                if name.startswith(("out_", "loss", "grad_")) and file[name].dtype.kind == "f" and file[name].any()
            ]
            results = [name for name in results if name not in UNCHECKED and "fp16" not in name]
            before = path.read_bytes()
        for name in results[-1:]:
            perturbed(path, name, 1 + 1e-4)
            cases = CHECKS[folder](path)
            assert cases is not None
            assert [case for case in cases if not case.passed and name in case.variant], (path.name, name)
            path.write_bytes(before)


def copied(shared: Path, target: Path, *names: str) -> Path:
    for name in names:
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copy(shared / "golden" / name, target / name)
    return target


def perturbed(path: Path, array: str, factor: float) -> None:
    with np.load(path) as file:
        arrays = {name: file[name].copy() for name in file.files}
    arrays[array].reshape(-1)[np.abs(arrays[array]).argmax()] *= factor
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("file", "array", "factor"),
    [
        ("ckd/wr_angle_window3_l2loss__B.npz", "loss", 1 + 1e-8),
        ("ckd/wr_dist_cos_kldiv__B.npz", "grad_s_hidden", 1 + 1e-7),
        ("ckd/total_kd__B.npz", "component_ltrangle", 1 + 1e-8),
        ("ckd/baseline_pkd_cls__B.npz", "loss", 1 + 1e-5),
        ("ckd/window_positions.npz", "w3_L5", 0),
        ("ckd/layer_alignment.npz", "triple__t12_s3__s_index", 2),
        ("vanilla_kd/kl_batchmean.npz", "out_loss", 1 + 1e-9),
        ("vanilla_kd/pkd_repo_distillation_loss.npz", "out_kd_loss", 1 + 1e-9),
        ("vanilla_kd/torchdistill_kdloss.npz", "out_grad_student_logits", 1 + 1e-9),
    ],
)
def test_a_changed_value_fails(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, array: str, factor: float
) -> None:
    root = copied(shared, tmp_path, file, "ckd/inputs_B.npz")
    assert main([str(root)]) == 0
    capsys.readouterr()
    perturbed(root / file, array, factor)
    assert main([str(root)]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert lines
    assert all(line.startswith(f"  FAIL {file} ") and array in line for line in lines)


def test_damaged_and_unknown_files(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copied(shared, tmp_path, "ckd/kd_softce_T4__B.npz", "ckd/inputs_B.npz")
    np.savez(root / "ckd" / "something_new__B.npz", loss=np.array(1.0))
    assert main([str(root)]) == 0
    assert "something_new__B.npz" in capsys.readouterr().out

    (root / "ckd" / "ltr_angle_l2loss__B.npz").write_bytes(b"PK\x03\x04 no archive")
    np.savez(root / "ckd" / "kd_softce_T4__C.npz", inputs=np.array("inputs_C.npz"), loss=np.array(1.0))
    assert main([str(root)]) == 1
    out = capsys.readouterr().out
    assert "FAIL ckd/ltr_angle_l2loss__B.npz" in out
    assert "FAIL ckd/kd_softce_T4__C.npz" in out


@pytest.mark.parametrize(
    ("file", "array"),
    [("vanilla_kd/kl_batchmean.npz", "out_more"), ("ckd/ltr_angle_l2loss__B.npz", "component_more")],
)
def test_a_result_that_nothing_checks_is_listed(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, array: str
) -> None:
    root = copied(shared, tmp_path, file, "ckd/inputs_B.npz")
    with np.load(root / file) as arrays:
        more: dict[str, Any] = {**arrays, array: np.zeros(3)}
    np.savez(root / file, **more)
    assert main([str(root)]) == 0
    assert f"not covered yet: {Path(file).name}[{array}]" in capsys.readouterr().out


def test_nothing_to_check_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "absent")]) == 1
    assert "no folder" in capsys.readouterr().out
    assert main([str(tmp_path)]) == 1
    assert "holds no file" in capsys.readouterr().out
