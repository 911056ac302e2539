"""What a run is at one moment: weights, optimisers, position, running sums, random state, as tensors and JSON."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from raykd.train.tally import Tally


@dataclass(frozen=True)
class Position:
    """How far a run has come: optimiser steps done, evaluations done, and the seconds it has trained."""

    step: int
    evaluation: int
    seconds: float


@dataclass(frozen=True)
class State:
    """tensors: by name, contiguous, none sharing storage. about: what goes into JSON as it is."""

    tensors: dict[str, Tensor]
    about: dict[str, Any]


def take(module: nn.Module, optimizers: Sequence[Optimizer], position: Position, tally: Tally) -> State:
    """The state of a run, copied."""
    tensors = {f"module.{name}": _own(tensor) for name, tensor in module.state_dict().items()}
    tensors |= {f"sum.{name}": _own(tensor) for name, tensor in tally.sums.items()}
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
    version, words, *rest = random.getstate()
    kind, keys, *position_of = np.random.get_state()  # noqa: NPY002 - the legacy state is the one libraries draw from
    about = {
        "step": position.step,
        "evaluation": position.evaluation,
        "seconds": position.seconds,
        "counts": dict(tally.counts),
        "scalars": scalars,
        "python": [version, list(words), *rest],
        "numpy": [kind, np.asarray(keys).tolist(), *position_of],
    }
    return State(tensors, about)


def put_back(
    state: State, module: nn.Module, optimizers: Sequence[Optimizer], tally: Tally, device: torch.device
) -> Position:
    """Put a run back where `take` found it: weights, optimisers, sums and every random generator."""
    tensors, about = state.tensors, state.about
    module.load_state_dict(_under("module.", tensors))
    for number, optimizer in enumerate(optimizers):
        plain = {k.split(".", 1)[1]: v for k, v in about["scalars"].items() if k.startswith(f"{number}.")}
        _load_optimizer(optimizer, _under(f"optimizer.{number}.", tensors), plain)
    tally.sums = {name: value.to(device) for name, value in _under("sum.", tensors).items()}
    tally.counts.clear()
    tally.counts.update(about["counts"])
    torch.set_rng_state(tensors["rng.torch"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    version, words, gauss = about["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = about["numpy"]
    np.random.set_state((kind, np.asarray(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    return Position(about["step"], about["evaluation"], about["seconds"])


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy: safetensors refuses tied weights, which share storage, and tensors that are not contiguous."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


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
