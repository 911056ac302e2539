"""What a network costs: arithmetic by hand, and a clock that leaves the machine as it was."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from transformers import PreTrainedModel

from raykd.models.classifier import Head
from raykd.models.cost import Cost, Measured, about, costs_of, flops_of
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.turns import FEWEST, Speedup

CPU = torch.device("cpu")


def network(layers: int = 2, hidden: int = 32, intermediate: int = 64) -> PreTrainedModel:
    tokenizer = word_tokenizer([f"w{i}" for i in range(30)])
    sizes = {"layers": layers, "hidden": hidden, "heads": 4, "intermediate": intermediate}
    return scratch_classifier(tokenizer, Head(("no", "yes")), seed=1, **sizes).eval()


@pytest.mark.parametrize(("layers", "hidden", "intermediate", "length"), [(1, 16, 40, 5), (3, 32, 64, 17)])
def test_arithmetic_by_hand(layers: int, hidden: int, intermediate: int, length: int) -> None:
    attention = 4 * length * hidden**2 + 2 * length**2 * hidden  # four projections, scores, and their mixture
    layer = attention + 2 * length * hidden * intermediate
    head = hidden**2 + 2 * hidden  # pooler and two classes
    assert flops_of(network(layers, hidden, intermediate), length) == 2 * (layers * layer + head)


def test_what_a_row_costs_teacher_and_students() -> None:
    threads = torch.get_num_threads()
    teacher, made = network(8), list[str]()

    def make(name: str, layers: int) -> PreTrainedModel:
        made.append(name)
        return network(layers)

    students = {name: partial(make, name, layers) for name, layers in (("two", 2), ("also two", 2), ("one", 1))}
    found = costs_of(teacher, students, 9, device=CPU)
    assert made == [*students]
    assert found.teacher.parameters == sum(weight.numel() for weight in teacher.parameters())
    assert found.teacher.flops == flops_of(network(8), 9)
    assert found.teacher.speedup is None
    assert 0 < found.teacher.latency < 1000
    assert [cost.flops for cost in found.students.values()] == [flops_of(network(n), 9) for n in (2, 2, 1)]
    for cost in found.students.values():
        assert cost.speedup is not None
        assert 0 < cost.speedup.low <= cost.speedup.ratio <= cost.speedup.high
        assert cost.latency == pytest.approx(found.teacher.latency / cost.speedup.ratio)
    assert found.students["two"] == found.students["also two"]  # of one shape: noise would tell them apart
    assert found.turns[0] >= FEWEST
    assert torch.get_num_threads() == threads
    assert not teacher.training


def test_more_layers_take_longer() -> None:
    """Eight times as many: no noise is as large as that."""
    found = costs_of(network(16), {"two": partial(network, 2)}, 32, device=CPU)
    assert found.students["two"].speedup is not None
    assert found.students["two"].speedup.ratio > 1.5


def test_a_teacher_alone() -> None:
    found = costs_of(network(1), {}, 5, device=CPU)
    assert found.students == {}
    assert found.teacher.latency > 0


def test_in_words() -> None:
    calm = Measured(Cost(9, 9, 9.0), {"s": Cost(1, 1, 1.0, Speedup(9.0, 8.9, 9.1))}, (20, 50))
    said = about(calm, 34, CPU, (1.2, 2))
    where = "one row of 34 tokens at a time, on one thread of a CPU"
    assert said == f"{where}, teacher and student in turn, the median of 20 to 50 turns"
    assert about(calm, 34, CPU, None) == said
    assert about(calm, 34, CPU, (5.8, 2)) == f"{said}; the machine was busy, with a load of 5.8 on 2 processors"
    restless = Measured(calm.teacher, {**calm.students, "t": Cost(1, 1, 1.0, Speedup(3.0, 2.2, 4.4))}, (7, 7))
    assert about(restless, 34, CPU, (0.1, 2)).endswith(
        "the median of 7 turns; the machine was restless: half of the turns were 2.2 to 4.4 times as fast"
    )
