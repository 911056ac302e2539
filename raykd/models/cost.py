"""What a network costs where it is used: its weights, the arithmetic of a row, and the time a row takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from raykd.models.outputs import forward
from raykd.models.shape import size_of
from raykd.models.turns import Speedup, speedup_of, take_turns

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Cost:
    """parameters: weights, shared ones once. Of one forward pass of one row: flops (floating-point operations of matrix
    products, where a multiplication and an addition are two) and latency, in milliseconds. speedup: of a student, over
    its teacher."""

    parameters: int
    flops: int
    latency: float
    speedup: Speedup | None = None


@dataclass(frozen=True)
class Measured:
    """Costs of a teacher and of students by name, and how many turns the fewest and the most of them had."""

    teacher: Cost
    students: dict[str, Cost]
    turns: tuple[int, int]


def costs_of(
    teacher: PreTrainedModel,
    students: Mapping[str, Callable[[], PreTrainedModel]],
    length: int,
    *,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """What a row costs a teacher and each student, each student timed in turn with the teacher.

    A student's latency is the teacher's, divided by how many times as fast the student was in turn: what slowed the
    machine down while one student was measured and not the next drops out, and the ratio of two latencies is the
    speedup. One with as many weights and as much arithmetic as another is of the same shape, and costs the same.

    Args:
        teacher: In eval mode, on the CPU; it is moved to `device`.
        students: By name, what makes each; only one of them is held at a time.
        length: Tokens of the row.
        device: Where they run: on a CPU, in one thread.
        clock: In seconds.

    Returns:
        The costs. The teacher's latency is the median over all turns.
    """
    sizes = size_of(teacher), flops_of(teacher, length)
    row = _row(teacher, length, device)
    ours = _ready(teacher, row, device)
    found: dict[str, tuple[int, int, Speedup]] = {}
    timed: dict[tuple[int, int], np.ndarray] = {}
    with _one_thread(), torch.no_grad():
        for name, make in students.items():
            student = make()
            shape = size_of(student), flops_of(student, length)
            if shape not in timed:
                theirs = _ready(student, _row(student, length, device), device)
                timed[shape] = take_turns([ours, theirs], clock=clock)
                del theirs
            found[name] = (*shape, speedup_of(timed[shape]))
            del student  # before the next one is made
        turns = [*timed.values()] or [take_turns([ours], clock=clock)]
    latency = 1000 * float(np.median(np.concatenate([times[:, 0] for times in turns])))
    made = {
        name: Cost(parameters, flops, latency / faster.ratio, faster)
        for name, (parameters, flops, faster) in found.items()
    }
    counts = [len(times) for times in turns]
    return Measured(Cost(*sizes, latency), made, (min(counts), max(counts)))


def flops_of(model: PreTrainedModel, length: int) -> int:
    """Floating-point operations of a row of `length` tokens, counted by torch as the model runs, on the CPU."""
    # Its counter knows the products that plain attention is made of, and not the CPU's fused kernel.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        _run(model, _row(model, length, torch.device("cpu")))
    return int(counter.get_total_flops())


def about(measured: Measured, length: int, device: torch.device, busy: tuple[float, int] | None) -> str:
    """What latencies are of, and whether the machine was busy meanwhile, for a person.

    Args:
        measured: The costs.
        length: Tokens of the row.
        device: Where they were measured.
        busy: The load and the number of processors, if known.
    """
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "one thread of a CPU"
    turns = " to ".join(map(str, dict.fromkeys(measured.turns)))
    said = f"one row of {length} tokens at a time, on {where}, teacher and student in turn, the median of {turns} turns"
    wide = [one.speedup for one in measured.students.values() if one.speedup is not None and one.speedup.wide]
    if busy is not None and busy[0] > busy[1] + 0.5:  # a teacher was asked a moment ago, with all processors
        return f"{said}; the machine was busy, with a load of {busy[0]:.1f} on {busy[1]} processors"
    if wide:
        worst = max(wide, key=lambda one: (one.high - one.low) / one.ratio)
        spread = f"half of the turns were {worst.low:.1f} to {worst.high:.1f} times as fast"
        return f"{said}; the machine was restless: {spread}"
    return said


def _ready(model: PreTrainedModel, row: Tensor, device: torch.device) -> Callable[[], None]:
    """A run of `model` on `row`, over when it returns."""
    moved: nn.Module = model  # transformers' own `to` is typed too narrowly
    moved.to(device)

    def run() -> None:
        _run(model, row)
        _wait(device)

    return run


def _run(model: PreTrainedModel, row: Tensor) -> None:
    forward(model, input_ids=row, attention_mask=torch.ones_like(row), token_type_ids=torch.zeros_like(row))


def _row(model: PreTrainedModel, length: int, device: torch.device) -> Tensor:
    """`[1, length]` tokens drawn evenly: what they are changes nothing."""
    chance = torch.Generator().manual_seed(0)
    return torch.randint(int(model.config.vocab_size), (1, length), generator=chance).to(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
