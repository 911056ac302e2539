"""Every relation loss against plain loops, and what must not change it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from raykd import losses

from .relations import RELATIONS, tensors, value_and_gradient


@pytest.mark.parametrize("name", RELATIONS)
def test_equals_plain_loops(name: str) -> None:
    ours, loops = RELATIONS[name]
    given = tensors()
    value, gradient = value_and_gradient(ours, *given)
    expected, expected_gradient = value_and_gradient(loops, *given)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", RELATIONS)
def test_gradient_is_that_of_the_value(name: str) -> None:
    # Central differences along a random direction: the loops share the formula with us, this shares only the value.
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors(seed=1)
    _, gradient = value_and_gradient(ours, student, teacher, mask)
    direction = torch.randn(student.shape, dtype=student.dtype, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        step = 1e-6 * direction
        slope = (ours(student + step, teacher, mask) - ours(student - step, teacher, mask)) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", RELATIONS)
def test_is_zero_for_a_student_like_the_teacher(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, _, mask = tensors()
    value, gradient = value_and_gradient(ours, student, student.detach(), mask)
    assert value == 0
    assert gradient.abs().max() < 1e-14


@pytest.mark.parametrize("name", RELATIONS)
def test_padding_does_not_matter(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors()
    expected, expected_gradient = value_and_gradient(ours, student, teacher, mask)
    padding = ~mask.bool().unsqueeze(-1)
    other_student, other_teacher = (states.detach().masked_fill(padding, 1e4) for states in (student, teacher))
    value, gradient = value_and_gradient(ours, other_student, other_teacher, mask)

    if name.startswith("word_angle clamp"):  # published so: neighbours on padding count, beside a real vertex
        assert value != expected
        return
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-15)
    assert not gradient.masked_select(padding).any()


@pytest.mark.parametrize("name", RELATIONS)
def test_sum_over_layers_is_so_many_times_the_mean(name: str) -> None:
    ours, _ = RELATIONS[name]
    given = tensors(layers=4)
    torch.testing.assert_close(ours(*given, layer_reduction="sum"), 4 * ours(*given, layer_reduction="mean"))


def rotation(width: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.linalg.qr(torch.randn(width, width, dtype=torch.float64, generator=generator)).Q


@pytest.mark.parametrize("name", [name for name in RELATIONS if "angle" in name])
def test_angles_ignore_where_how_turned_and_how_large(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors()
    moved = 7 * teacher @ rotation(teacher.shape[-1]) + torch.arange(teacher.shape[-1])
    torch.testing.assert_close(ours(student, moved, mask), ours(student, teacher, mask))


@pytest.mark.parametrize("name", [name for name in RELATIONS if "distance" in name])
def test_distances_ignore_where_and_how_turned(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors()
    scale = 7 if "normalise=True" in name else 1
    moved = scale * teacher @ rotation(teacher.shape[-1]) + torch.arange(teacher.shape[-1])
    torch.testing.assert_close(ours(student, moved, mask), ours(student, teacher, mask))


@pytest.mark.parametrize("name", ["word_pair_kl", "layer_pair_kl"])
def test_cosines_ignore_how_turned_and_how_large(name: str) -> None:
    ours, _ = RELATIONS[name]
    student, teacher, mask = tensors()
    moved = 7 * teacher @ rotation(teacher.shape[-1])
    torch.testing.assert_close(ours(student, moved, mask), ours(student, teacher, mask))


def points(*rows: tuple[float, ...]) -> Tensor:
    """One layer of one sentence: [1, 1, L, 2]."""
    return torch.tensor(rows, dtype=torch.float64)[None, None]


def test_values_worked_out_by_hand() -> None:
    # Student: a right angle at the first token, legs 3 and 4; teacher: three tokens on a line, 1 apart.
    student, teacher = points((0, 0), (3, 0), (0, 4)), points((0, 0), (1, 0), (2, 0))
    mask = torch.ones(1, 3)
    squared = [9 - 1, 16 - 4, 25 - 1]
    distance = losses.word_pair_distance(student, teacher, mask, normalise=False, penalty="l1")
    assert distance.item() == pytest.approx(2 * sum(squared) / 9)
    plain = losses.word_pair_distance(student, teacher, mask, normalise=False, penalty="l1", squared=False)
    assert plain.item() == pytest.approx(2 * (2 + 2 + 4) / 9)
    near = losses.word_pair_distance(student, teacher, mask, normalise=False, penalty="l1", squared=False, delta=1)
    assert near.item() == pytest.approx(2 * (2 + 4) / 7)

    # Cosines at the three vertices: student 0, 3/5, 4/5; teacher 1, -1, 1. Each counts for (j, k) and (k, j).
    cosines = [(0 - 1) ** 2, (0.6 + 1) ** 2, (0.8 - 1) ** 2]
    angle = losses.word_angle(student, teacher, mask, delta=None)
    assert angle.item() == pytest.approx(2 * sum(cosines) / 27)
    # Window 3: at the ends the other end is out of reach, and the clamped corner is the vertex itself.
    clamped = losses.word_angle(student, teacher, mask, delta=1)
    assert clamped.item() == pytest.approx(2 * cosines[1] / 27)
    valid = losses.word_angle(student, teacher, mask, delta=1, neighbours="valid")
    assert valid.item() == pytest.approx(2 * cosines[1] / (4 + 9 + 4))


def test_a_window_of_one_has_no_angles() -> None:
    for neighbours in ("clamp", "valid"):
        assert losses.word_angle(*tensors(), delta=0, neighbours=neighbours) == 0


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [({"penalty": "l3"}, "smooth_l1"), ({"neighbours": "wrap"}, "clamp"), ({"layer_reduction": "max"}, "sum")],
)
def test_refuses_unknown_names(wrong: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        losses.word_angle(*tensors(), delta=1, **wrong)


def test_refuses_a_negative_delta() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        losses.word_angle(*tensors(), delta=-1)
