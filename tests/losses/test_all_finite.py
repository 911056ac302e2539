"""No loss is missing: each stays finite, value and gradient, on input that breaks careless arithmetic."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from raykd import losses

from .compare import normal
from .every import EXEMPT, LOSSES, PARTS

LAYERS, WIDTH = 3, 12

# Lengths of the samples, and what they are padded to.
SIZES: dict[str, tuple[tuple[int, ...], int]] = {
    "ordinary": ((6, 3, 1), 6),
    "length 1": ((1, 1, 1), 1),
    "length 2": ((2, 1, 2), 2),
    "batch 1": ((5,), 6),
    "batch 1, length 1": ((1,), 1),
    "all padding but one": ((1, 1, 1), 6),
    "batch 1, all padding but one": ((1,), 6),
    "no token at all": ((0, 0), 4),
}

IN_EVERY_SIZE = ("ordinary", "student is the teacher", "equal tokens", "zero", "zero student")


def contents(student: Tensor, teacher: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Everything that may stand in states [K, B, L, D]."""
    one, other = (states[:1, :1, :1].expand_as(states) for states in (student, teacher))
    by_sample = student[:, :, :1].expand_as(student)
    zero = torch.zeros_like(student)
    some_zero = student.clone()
    some_zero[:, :, ::2] = 0
    return {
        "ordinary": (student, teacher),
        "student is the teacher": (teacher, teacher),
        "equal tokens": (one, other),
        "equal tokens in the student": (one, teacher),
        "equal tokens in the teacher": (student, other),
        "equal tokens in a sample": (by_sample, teacher),
        "equal tokens, student is the teacher": (other, other),
        "far equal tokens": (one + 1000, other + 1000),
        "zero": (zero, zero),
        "zero student": (zero, teacher),
        "zero teacher": (student, zero),
        "some zero vectors": (some_zero, teacher),
        "tiny": (1e-15 * student, 1e-15 * teacher),
        "large": (1e3 * student, 1e3 * teacher),
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(name: str, dtype: torch.dtype) -> None:
    """bfloat16 states are those of a network under autocast."""
    for size, (lengths, padded) in SIZES.items():
        mask = (torch.arange(padded) < torch.tensor(lengths).unsqueeze(1)).long()
        drawn = [normal(LAYERS, len(lengths), padded, WIDTH, seed=seed).to(dtype) for seed in (1, 2)]
        for content, (student, teacher) in contents(*drawn).items():
            if size != "ordinary" and content not in IN_EVERY_SIZE:
                continue
            leaf = student.clone().requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                value = LOSSES[name](leaf, teacher, mask)
            (gradient,) = torch.autograd.grad(value, leaf)
            assert value.shape == (), (size, content)
            assert value.dtype == torch.float32, (size, content)
            assert torch.isfinite(value), (size, content)
            assert torch.isfinite(gradient).all(), (size, content)
            if size == content == "ordinary":
                assert value != 0
                assert gradient.any()


def test_every_exported_name_is_in_the_table() -> None:
    tested = {name.split()[0] for name in LOSSES}
    assert tested | set(EXEMPT) == set(losses.__all__)
    assert not tested & set(EXEMPT)
    assert len(set(losses.__all__)) == len(losses.__all__)
    assert {name for name in losses.__all__ if not callable(vars(losses)[name])} == set()


def test_every_public_function_is_exported_or_no_loss() -> None:
    found = set()
    for module in pkgutil.iter_modules(losses.__path__):
        members = vars(importlib.import_module(f"raykd.losses.{module.name}"))
        found |= {
            f"{module.name}.{name}"
            for name, member in members.items()
            if inspect.isfunction(member) and member.__module__.endswith(f".{module.name}") and not name.startswith("_")
        }
    exported = {f"{vars(losses)[name].__module__.split('.')[-1]}.{name}" for name in losses.__all__}
    parts = " ".join(PARTS.values()).split()
    assert len(set(parts)) == len(parts)
    assert found - exported - set(parts) == set()  # export it, and add it to the table
    assert (exported | set(parts)) - found == set()


def test_they_want_torch_and_nothing_else() -> None:
    code = "import sys, torch, torch.utils.checkpoint; before = set(sys.modules); import raykd.losses; "
    code += "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["raykd"]
