"""Distances between words, layers and samples, and the losses that are functions of them: loops, edges, gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from raykd import losses
from raykd.losses import pieces
from raykd.losses.angles import angle_sum, window_angle_sum
from raykd.losses.distances import layer_distances, layer_pairs, sample_distances, word_distances
from raykd.losses.layer_relations import layer_angle_of, layer_pair_of
from raykd.losses.penalties import Penalty
from raykd.losses.products import point_cosines
from raykd.losses.word_relations import word_angle_of, word_pair_of

from .compare import normal
from .relations import PENALTIES, RELATIONS, tensors, value_and_gradient

Distances = Callable[[Tensor, Tensor], Tensor]
KINDS: dict[str, Distances] = {
    "words": lambda states, mask: word_distances(states, mask, None),
    "near words": lambda states, mask: word_distances(states, mask, 2),
    "layers": layer_distances,
}


def loop_words(states: Tensor, mask: Tensor, reach: int) -> Tensor:
    layers, batch, length, _ = states.shape
    found = states.new_zeros(layers, batch, length, reach)
    for k in range(layers):
        for b in range(batch):
            for i in range(length):
                for j in range(i + 1, min(i + reach, length - 1) + 1):
                    if mask[b, i] and mask[b, j]:
                        found[k, b, i, j - i - 1] = (states[k, b, i] - states[k, b, j]).square().sum()
    return found


def loop_layers(states: Tensor, mask: Tensor) -> Tensor:
    pairs = [(k, m) for k in range(len(states)) for m in range(k + 1, len(states))]
    between = [(states[k] - states[m]).square().sum(dim=-1) * mask for k, m in pairs]
    return torch.stack(between, dim=-1)


def assert_same(ours: Callable[[Tensor], Tensor], loops: Callable[[Tensor], Tensor], states: Tensor) -> None:
    found, expected = ours(states), loops(states)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    slopes = normal(*found.shape, seed=5)
    gradient, wanted = (torch.autograd.grad((of * slopes).sum(), states)[0] for of in (found, expected))
    torch.testing.assert_close(gradient, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reach", [1, 3, 5, 99, None])
def test_words_equal_loops(reach: int | None) -> None:
    states, _, mask = tensors()
    columns = min(5 if reach is None else reach, 5)
    assert_same(lambda x: word_distances(x, mask, reach), lambda x: loop_words(x, mask, columns), states)
    one_layer = word_distances(states[1], mask, reach)
    assert torch.equal(one_layer, word_distances(states, mask, reach)[1])
    assert torch.equal(word_distances(states[1, 0], mask[0], reach), one_layer[0])


def test_no_reach_is_no_distance() -> None:
    states, _, mask = tensors()
    assert word_distances(states, mask, 0).shape == (*states.shape[:-1], 0)
    assert word_distances(states[:, :, :1], mask[:, :1], None).shape == (3, 3, 1, 0)


def test_layers_equal_loops() -> None:
    states, _, mask = tensors(layers=4)
    assert_same(lambda x: layer_distances(x, mask), lambda x: loop_layers(x, mask), states)
    first, second = layer_pairs(4, torch.device("cpu"))
    expected = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_samples_equal_differences() -> None:
    points = normal(5, 7).requires_grad_()
    first, second = layer_pairs(5, torch.device("cpu"))
    assert_same(sample_distances, lambda x: (x[first] - x[second]).square().sum(dim=-1), points)


@pytest.mark.parametrize("kind", KINDS)
def test_ignore_place_and_rotation(kind: str) -> None:
    states, _, mask = tensors()
    rotation = torch.linalg.qr(normal(4, 4, seed=3)).Q
    moved = states @ rotation + 100 * torch.arange(4)
    torch.testing.assert_close(KINDS[kind](moved, mask), KINDS[kind](states, mask))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_not_read(kind: str) -> None:
    states, _, mask = tensors()
    padding = ~mask.bool().unsqueeze(-1)
    expected = KINDS[kind](states, mask)
    leaf = states.detach().masked_fill(padding, torch.nan).requires_grad_()
    found = KINDS[kind](leaf, mask)
    assert torch.equal(found, expected)
    gradient, wanted = (torch.autograd.grad(of.square().sum(), x)[0] for of, x in ((found, leaf), (expected, states)))
    assert torch.equal(gradient, wanted)
    assert not gradient.masked_select(padding).any()
    # The token of sentence 2 is alone, and sentence 1 has three: nothing beyond.
    if kind != "layers":
        assert not expected[:, 2].any()
        assert not expected[:, 1, 2:].any()
        assert expected[:, 1, :2, 0].all()


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equal_points_have_distance_zero_and_no_gradient(offset: float) -> None:
    states = tensors(dtype=torch.float32, lengths=(6,), widths=(40, 40))[0].detach() + offset
    states[:, :, 3] = states[:, :, 1]
    states[2] = states[0]
    states.requires_grad_()
    mask = torch.ones(1, 6)
    words, layers = word_distances(states, mask, None), layer_distances(states, mask)
    for zeros, others in ((words[:, 0, 1, 1], words[:, 0, 1, 0]), (layers[..., 1], layers[..., 0])):
        assert not zeros.any()
        assert others.all()
        assert not torch.autograd.grad(zeros.sum(), states, retain_graph=True)[0].any()


def test_nan_of_a_real_token_shows() -> None:
    for name in ("word_angle full l2", "word_angle valid 1 l2", "layer_angle l2", "word_pair_kl"):
        student, teacher, mask = tensors()
        broken = student.detach().clone()
        broken[1, 0, 2] = torch.nan
        assert RELATIONS[name][0](broken, teacher, mask).isnan(), name


@pytest.mark.parametrize("kind", KINDS)
def test_are_float32_under_autocast(kind: str) -> None:
    states, _, mask = tensors(dtype=torch.bfloat16)
    expected = KINDS[kind](states.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = KINDS[kind](states, mask)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), states)
    assert gradient.dtype == torch.bfloat16
    (wanted,) = torch.autograd.grad(expected.sum(), states)
    torch.testing.assert_close(gradient, wanted)


def test_gradients_of_what_is_computed_by_hand() -> None:
    states, _, mask = tensors(layers=2, lengths=(4, 2), padded=4)
    tokens, real = states.flatten(0, 1), mask.bool().expand(2, -1, -1).flatten(0, 1)
    assert torch.autograd.gradcheck(lambda x: word_distances(x, mask, 2), states)
    assert torch.autograd.gradcheck(lambda x: layer_distances(x, mask), states)
    assert torch.autograd.gradcheck(lambda x: point_cosines(x, real), tokens)


@pytest.mark.parametrize("at_once", [1, 2**20])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_gradients_of_angles(penalty: Penalty, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Any positive numbers do for distances: a cosine is a function of three.
    monkeypatch.setattr(pieces, "_OF_A_CPU", at_once)
    bands = [normal(2, 6, 4, seed=seed).square() + 0.1 for seed in (1, 2)]
    beyond = torch.arange(6).unsqueeze(1) + torch.arange(1, 5) > 5
    bands = [band.masked_fill(beyond, 0.0) for band in bands]
    times = torch.randint(3, (2, 6, 5), generator=torch.Generator().manual_seed(3)).double()
    for counts in (None, times):
        window = partial(window_angle_sum, teacher=bands[1], delta=2, penalty=penalty, times=counts)
        inside = bands[0].masked_select(~beyond).requires_grad_()
        assert torch.autograd.gradcheck(
            lambda x, f=window: f(torch.zeros_like(bands[0]).masked_scatter(~beyond, x)), inside
        )

    distances = [normal(3, 10, seed=seed).square() + 0.1 for seed in (4, 5)]
    times = torch.randint(3, (3, 5, 5), generator=torch.Generator().manual_seed(6)).double()
    for counts in (None, times):
        every = partial(angle_sum, teacher=distances[1], number=5, penalty=penalty, times=counts)
        assert torch.autograd.gradcheck(every, distances[0].clone().requires_grad_())


@pytest.mark.parametrize("at_once", [1, 30, 700])
@pytest.mark.parametrize("name", [name for name in RELATIONS if "smooth_l1" in name or "kl" in name or " l2" in name])
def test_in_pieces_as_in_one(name: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = RELATIONS[name]
    given = tensors()
    value, gradient = value_and_gradient(ours, *given)
    monkeypatch.setattr(pieces, "_OF_A_CPU", at_once)
    in_pieces, gradient_in_pieces = value_and_gradient(ours, *given)
    torch.testing.assert_close(in_pieces, value)
    torch.testing.assert_close(gradient_in_pieces, gradient)


def test_a_wider_band_serves_a_narrower_window() -> None:
    student, teacher, mask = tensors()
    wide = word_distances(student, mask, None), word_distances(teacher, mask, None)
    angle = word_angle_of(*wide, mask, delta=1, neighbours="valid")
    assert angle == losses.word_angle(student, teacher, mask, delta=1, neighbours="valid")
    how: dict[str, Any] = {"normalise": True, "penalty": "l2", "squared": False, "delta": 2}
    assert word_pair_of(*wide, mask, **how) == losses.word_pair_distance(student, teacher, mask, **how)
    # Of a window that reaches everywhere, and of none.
    for delta in (5, 9, None):
        expected = losses.word_angle(student, teacher, mask, delta=delta, neighbours="valid")
        torch.testing.assert_close(word_angle_of(*wide, mask, delta=delta, neighbours="valid"), expected)


def test_refuse_a_band_that_is_too_narrow() -> None:
    student, teacher, mask = tensors()
    bands = word_distances(student, mask, 3), word_distances(teacher, mask, 3)
    wide = word_distances(student, mask, None), word_distances(teacher, mask, None)
    with pytest.raises(ValueError, match="up to 3 apart, where 4"):
        word_angle_of(*bands, mask, delta=2)
    with pytest.raises(ValueError, match="where 5"):
        word_pair_of(*bands, mask, normalise=False, penalty="l2")
    with pytest.raises(ValueError, match="where 4"):
        word_angle_of(wide[0], bands[1], mask, delta=2)
    with pytest.raises(ValueError, match="reach -1"):
        word_distances(student, mask, -1)


def test_layers_of_given_distances() -> None:
    student, teacher, mask = tensors()
    given = (layer_distances(student, mask), layer_distances(teacher, mask), mask, len(student))
    assert layer_angle_of(*given) == losses.layer_angle(student, teacher, mask)
    how: dict[str, Any] = {"normalise": True, "penalty": "smooth_l1"}
    assert layer_pair_of(*given, **how) == losses.layer_pair_distance(student, teacher, mask, **how)


@pytest.mark.parametrize("name", RELATIONS)
def test_keeps_nothing_as_large_as_the_states(name: str) -> None:
    student, teacher, mask = tensors(layers=3, widths=(300, 300))
    largest = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal largest
        if tensor.untyped_storage().data_ptr() != student.untyped_storage().data_ptr():
            largest = max(largest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        RELATIONS[name][0](student, teacher, mask)
    assert 0 < largest < student.numel() / 10
