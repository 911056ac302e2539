"""Point-wise losses on states and attention scores, by hand and by loops; padding; input that breaks arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from raykd.losses.hidden import attention_mse, cls_patience, cosine_loss, hidden_mse

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

MASK = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]])


def randoms(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    return student, teacher


def hidden_loop(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    parts = [
        (student[k, b, i, d] - teacher[k, b, i, d]) ** 2
        for k in range(len(student))
        for b, i in mask.nonzero().tolist()
        for d in range(student.shape[-1])
    ]
    return torch.stack(parts).mean()


def attention_loop(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    parts = [
        (student[k, b, h, i, j] - teacher[k, b, h, i, j]) ** 2
        for k in range(student.shape[0])
        for b in range(student.shape[1])
        for h in range(student.shape[2])
        for i in mask[b].nonzero().flatten().tolist()
        for j in mask[b].nonzero().flatten().tolist()
    ]
    return torch.stack(parts).mean()


def cosine_loop(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    parts = []
    for k in range(len(student)):
        for b, i in mask.nonzero().tolist():
            s, t = student[k, b, i], teacher[k, b, i]
            parts.append(1 - (s @ t) / (s.norm() * t.norm()))
    return torch.stack(parts).mean()


# Name -> our loss, the loop, what follows [K, B] in the shape of its input.
MASKED: dict[str, tuple[Loss, Loss, tuple[int, ...]]] = {
    "hidden_mse": (hidden_mse, hidden_loop, (5, 4)),
    "attention_mse": (attention_mse, attention_loop, (2, 5, 5)),
    "cosine_loss": (cosine_loss, cosine_loop, (5, 4)),
}
UNMASKED: dict[str, Loss] = {
    "cls_patience": lambda student, teacher, mask: cls_patience(student, teacher),
    "hidden_mse without mask": lambda student, teacher, mask: hidden_mse(student, teacher),
    "attention_mse without mask": lambda student, teacher, mask: attention_mse(student, teacher),
}


def given(name: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    rest = MASKED[name][2] if name in MASKED else (5, 5)
    return randoms(2, len(MASK), *rest, dtype=dtype)


def value_and_gradient(loss: Loss, student: Tensor, teacher: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    leaf = student.detach().clone().requires_grad_()
    value = loss(leaf, teacher, mask)
    assert value.shape == ()
    return value.detach(), torch.autograd.grad(value, leaf)[0]


def is_real(name: str, mask: Tensor) -> Tensor:
    """What of the input a mask keeps, to broadcast over it."""
    real = mask.bool()
    return (real[:, :, None] & real[:, None, :])[:, None] if name == "attention_mse" else real[:, :, None]


def test_cls_patience_by_hand_and_by_loops() -> None:
    student, teacher = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    # unit(3, 4) = (.6, .8) against (0, 1); the zero vector stays 0 against (1, 0).
    assert cls_patience(student, teacher).item() == pytest.approx((0.36 + 0.04 + 1.0) / 4)
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    rows = list(zip(student.reshape(-1, 5), teacher.reshape(-1, 5), strict=True))
    expected = sum(((s / s.norm() - t / t.norm()) ** 2).sum() for s, t in rows) / student.numel()
    torch.testing.assert_close(cls_patience(student, teacher), expected)
    torch.testing.assert_close(cls_patience(5 * student, teacher), expected)


def test_hidden_mse_by_hand() -> None:
    student, teacher = torch.zeros(2, 1, 3, 4), torch.full((2, 1, 3, 4), 3.0)
    assert hidden_mse(student, teacher).item() == 9
    student[:, :, 2] = 3.0
    assert hidden_mse(student, teacher).item() == 6
    assert hidden_mse(student, teacher, torch.tensor([[1, 0, 1]])).item() == 4.5


def test_attention_mse_takes_masked_scores_as_zero() -> None:
    student, teacher = torch.tensor([[1.0, -10003.0]]), torch.tensor([[3.0, -9999.0]])
    student.requires_grad_()
    loss = attention_mse(student, teacher)
    assert loss.item() == pytest.approx(4 / 2)
    loss.backward()
    assert student.grad is not None
    assert student.grad[0, 1] == 0


def test_attention_mse_by_hand_with_a_mask() -> None:
    # Two heads, two of three tokens: the pairs of the third (-inf for a key, 7 for a query) do not count.
    student = torch.tensor([[1.0, 2.0, -torch.inf], [3.0, -torch.inf, -torch.inf], [7.0, 7.0, 7.0]]).expand(1, 2, 3, 3)
    teacher = torch.zeros(1, 2, 3, 3)
    assert attention_mse(student, teacher, torch.tensor([[1, 1, 0]])).item() == pytest.approx((1 + 4 + 9 + 0) / 4)


def test_cosine_loss_by_hand() -> None:
    student = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [5.0, 1.0]]])
    teacher = torch.tensor([[[4.0, 0.0], [0.0, -1.0], [1.0, 0.0], [1.0, 1.0]]])
    expected = (0 + 2 + (1 - 0.5**0.5)) / 3
    assert cosine_loss(student, teacher, torch.tensor([[1, 1, 1, 0]])).item() == pytest.approx(expected)
    value = cosine_loss(7 * student, teacher, torch.tensor([[1, 1, 1, 0]]))
    assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize("name", MASKED)
def test_equals_plain_loops(name: str) -> None:
    ours, loop, _ = MASKED[name]
    value, gradient = value_and_gradient(ours, *given(name), MASK)
    expected, expected_gradient = value_and_gradient(loop, *given(name), MASK)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("name", MASKED)
def test_padding_has_no_part(name: str) -> None:
    ours, _, rest = MASKED[name]
    student, teacher = given(name)
    expected, expected_gradient = value_and_gradient(ours, student, teacher, MASK)

    nowhere = [states.masked_fill(~is_real(name, MASK), torch.nan) for states in (student, teacher)]
    value, gradient = value_and_gradient(ours, nowhere[0], nowhere[1], MASK)
    assert value == expected
    assert torch.equal(gradient, expected_gradient)

    more = (0, 3, 0, 3) if name == "attention_mse" else (0, 0, 0, 3)
    longer = [pad(states, more, value=9.0) for states in (student, teacher)]
    value, gradient = value_and_gradient(ours, longer[0], longer[1], pad(MASK, (0, 3)))
    torch.testing.assert_close(value, expected)
    kept = gradient[..., : rest[-2], : rest[-1]]
    torch.testing.assert_close(kept, expected_gradient)
    assert gradient.abs().sum() == kept.abs().sum()


@pytest.mark.parametrize("name", [*MASKED, *UNMASKED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_on_any_input(name: str, dtype: torch.dtype) -> None:
    loss = MASKED[name][0] if name in MASKED else UNMASKED[name]
    student, teacher = given(name, dtype)
    zero, same = torch.zeros_like(student), student[:1, :1, :1, :1].expand_as(student)
    none, one = torch.zeros_like(MASK), torch.zeros_like(MASK)
    one[0, 2] = 1
    pairs = [(student, teacher), (zero, zero), (zero, teacher), (student, zero), (same, same), (student, student)]
    for mask in (MASK, none, one):
        for s, t in [*pairs, (1e-15 * student, teacher), (1e4 * student, teacher)]:
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                value, gradient = value_and_gradient(loss, s, t, mask)
            assert value.dtype == torch.float32
            assert torch.isfinite(value)
            assert torch.isfinite(gradient).all()
            if mask is none and name in MASKED:
                assert value == 0


@pytest.mark.parametrize("name", ["cls_patience", "cosine_loss"])
def test_a_zero_vector_has_no_gradient(name: str) -> None:
    loss = MASKED[name][0] if name in MASKED else UNMASKED[name]
    student, teacher = given(name)
    student[0, 0, 1] = 0
    _, gradient = value_and_gradient(loss, student, teacher, MASK)
    assert (gradient[0, 0, 1] == 0).all()
    assert (gradient[0, 0, 0] != 0).any()


@pytest.mark.parametrize("name", [*MASKED, *UNMASKED])
def test_the_teacher_is_a_constant_of_the_same_shape(name: str) -> None:
    loss = MASKED[name][0] if name in MASKED else UNMASKED[name]
    student, teacher = given(name)
    teacher.requires_grad_()
    loss(student.requires_grad_(), teacher, MASK).backward()
    assert teacher.grad is None
    with pytest.raises(ValueError, match=r"student \(2, 3, .*shapes must be equal"):
        loss(student, teacher[..., :1], MASK)
