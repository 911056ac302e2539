"""Checkpoints from which a run goes on bit for bit on CPU: weights, optimiser, position and random state.

Tensors are safetensors, the rest is JSON: nothing here can run code when it is loaded. A checkpoint is written beside
its final place and renamed into it, so a run that dies while writing leaves the previous one as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

PREFIX = "checkpoint-"


@dataclass(frozen=True)
class Position:
    """How far a run has come: optimiser steps done, evaluations done, and the seconds it has trained."""

    step: int
    evaluation: int
    seconds: float


def scratch(folder: Path, *settings: object) -> Path:
    """Where a run that will leave `folder` keeps its checkpoints: with other settings it is another place, so that only
    the same run goes on from them."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    return folder.with_name(f".{folder.name}.{digest}.run")


def save(folder: Path, module: nn.Module, optimizers: Sequence[Optimizer], position: Position) -> Path:
    """Write ``folder/checkpoint-<step>`` and remove older ones once it stands."""
    final = folder / f"{PREFIX}{position.step:08d}"
    temporary = folder / f"tmp-{uuid.uuid4().hex}"
    temporary.mkdir(parents=True)
    try:
        _write(temporary, module, optimizers, position)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)  # a full disk is not helped by half a checkpoint
        raise
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    for older in folder.glob(f"{PREFIX}*"):
        if older != final:
            shutil.rmtree(older, ignore_errors=True)
    return final


def _write(temporary: Path, module: nn.Module, optimizers: Sequence[Optimizer], position: Position) -> None:
    tensors = {f"module.{name}": _own(tensor) for name, tensor in module.state_dict().items()}
    scalars: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{index}.{key}"] = _own(value)
                else:
                    scalars[f"{number}.{index}.{key}"] = value
    tensors["rng.torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    save_file(tensors, temporary / "state.safetensors")
    version, words, *rest = random.getstate()
    kind, keys, *position_of = np.random.get_state()  # noqa: NPY002 - the legacy state is the one libraries draw from
    about = {
        "step": position.step,
        "evaluation": position.evaluation,
        "seconds": position.seconds,
        "scalars": scalars,
        "python": [version, list(words), *rest],
        "numpy": [kind, np.asarray(keys).tolist(), *position_of],
    }
    (temporary / "state.json").write_text(json.dumps(about))
    for file in temporary.iterdir():  # on the disk before the rename is, or a machine's crash could leave it empty
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy: safetensors refuses tied weights, which share storage, and tensors that are not contiguous."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint under `folder`; leftovers of an interrupted write are swept."""
    for leftover in folder.glob("tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return max(folder.glob(f"{PREFIX}*"), default=None, key=lambda path: path.name)


def load(checkpoint: Path, module: nn.Module, optimizers: Sequence[Optimizer]) -> Position:
    """Put a run back where `checkpoint` left it: weights, optimiser state and every random generator."""
    tensors = load_file(checkpoint / "state.safetensors")
    about = json.loads((checkpoint / "state.json").read_text())
    module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k.startswith("module.")})
    for number, optimizer in enumerate(optimizers):
        own = {k.split(".", 2)[2]: v for k, v in tensors.items() if k.startswith(f"optimizer.{number}.")}
        plain = {k.split(".", 1)[1]: v for k, v in about["scalars"].items() if k.startswith(f"{number}.")}
        _load_optimizer(optimizer, own, plain)
    torch.set_rng_state(tensors["rng.torch"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    version, words, gauss = about["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = about["numpy"]
    np.random.set_state((kind, np.asarray(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    return Position(about["step"], about["evaluation"], about["seconds"])


def _load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor], scalars: dict[str, Any]) -> None:
    """Put back the state of each parameter, given by ``<index>.<key>``."""
    state: dict[int, dict[str, Any]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        parameter = parameters[int(index)]
        # The fused update walks through memory, so moments must lie in it as their parameter does.
        fits = tensor.shape == parameter.shape
        state.setdefault(int(index), {})[key] = torch.empty_like(parameter).copy_(tensor) if fits else tensor
    for name, value in scalars.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
