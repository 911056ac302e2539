"""CKA and the FSD losses made of it: by loops, by their invariances, and on input that leaves nothing to compare."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from raykd.losses.cka import alignment, cka, fsd_intra, fsd_intra_of, fsd_local, hsic, word_gram

Loss = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]
LOSSES: dict[str, Loss] = {"intra": fsd_intra, "local": fsd_local}
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0]])


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def naive_hsic(x: Tensor, y: Tensor) -> Tensor:
    centre = torch.eye(len(x), dtype=x.dtype) - 1 / len(x)
    total = torch.zeros((), dtype=x.dtype)
    for i in range(len(x)):
        for j in range(len(x)):
            total = total + (centre @ x @ x.T @ centre)[i, j] * (centre @ y @ y.T @ centre)[i, j]
    return total


def naive_cka(x: Tensor, y: Tensor) -> Tensor:
    return naive_hsic(x, y) / (naive_hsic(x, x) * naive_hsic(y, y)).sqrt()


def naive_loss(name: str, student: Tensor, teacher: Tensor, mask: Tensor | None) -> Tensor:
    mask = torch.ones(student.shape[:2]) if mask is None else mask
    if name == "local":
        rows = [
            torch.stack([(row * mask[b, :, None]).flatten() for b, row in enumerate(x)]) for x in (student, teacher)
        ]
        return -(naive_cka(*rows) + 1e-8).log()
    lengths = [int(row.sum()) for row in mask]
    found = [naive_cka(student[b, :n], teacher[b, :n]) for b, n in enumerate(lengths) if n > 1]
    return -(torch.stack(found).mean() + 1e-8).log()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("widths", [(6, 7), (1, 2)])  # fewer rows than columns, and more
def test_against_loops(name: str, mask: Tensor | None, widths: tuple[int, int]) -> None:
    student, teacher = random(4, 5, widths[0]).requires_grad_(), random(4, 5, widths[1], seed=1)
    ours, loops = LOSSES[name](student, teacher, mask), naive_loss(name, student, teacher, mask)
    torch.testing.assert_close(ours, loops, rtol=1e-10, atol=1e-12)
    gradients = [torch.autograd.grad(loss, student)[0] for loss in (ours, loops)]
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_layers_are_averaged_over(name: str) -> None:
    student, teacher = random(3, 4, 5, 6), random(3, 4, 5, 2, seed=1)
    each = [LOSSES[name](student[k], teacher[k], MASK) for k in range(3)]
    torch.testing.assert_close(LOSSES[name](student, teacher, MASK), torch.stack(each).mean())


def test_both_arguments_get_gradients_and_hsic_is_not_scaled() -> None:
    x, y = random(9, 2).requires_grad_(), random(9, 3, seed=1).requires_grad_()
    torch.testing.assert_close(hsic(x, y), naive_hsic(x, y))
    assert torch.autograd.gradcheck(cka, (x, y))
    wide = random(4, 12).requires_grad_()
    assert torch.autograd.gradcheck(cka, (wide, random(4, 9, seed=2).requires_grad_()))


@pytest.mark.parametrize("rows", [4, 40])
def test_rotation_scale_and_translation_change_nothing(rows: int) -> None:
    x, y = random(rows, 6), random(rows, 5, seed=1)
    rotation = torch.linalg.qr(random(6, 6, seed=2)).Q
    torch.testing.assert_close(cka(-3 * x @ rotation + 7, y), cka(x, y))
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(cka(x[order], y[order]), cka(x, y))
    assert cka(x, -2 * x @ rotation + 1).item() == pytest.approx(1)
    assert cka(x, y) < 0.99


def test_by_hand() -> None:
    # Centred (-1, 0, 1) and (1, -2, 1): orthogonal. Two rows are alike in any case.
    assert cka(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[3.0], [0.0], [3.0]])).item() == pytest.approx(0)
    assert cka(random(2, 3), random(2, 5, seed=1)).item() == pytest.approx(1)
    # Samples with CKA 0 and 1: the log of their mean, not the mean of logs.
    student = torch.tensor([[[0.0], [1.0], [2.0]]]).expand(2, -1, -1)
    teacher = torch.tensor([[[3.0], [0.0], [3.0]], [[5.0], [3.0], [1.0]]])
    assert fsd_intra(student, teacher, None).item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("mask", [None, MASK])
def test_a_gram_is_all_that_the_loss_asks_of_the_teacher(mask: Tensor | None) -> None:
    student, teacher = random(3, 4, 5, 6).requires_grad_(), random(3, 4, 5, 2, seed=1)
    gram = word_gram(teacher, mask)
    assert torch.equal(fsd_intra_of(student, gram, mask), fsd_intra(student, teacher, mask))
    torch.testing.assert_close(alignment(gram, word_gram(student, mask)), cka(teacher, student, mask))
    assert torch.autograd.gradcheck(lambda states: word_gram(states, mask), student[0].detach().requires_grad_())


def test_gram_of_words_by_hand() -> None:
    # About the mean 2 of 1 and 3, both ways of padding: 1 and -1, products 1 and -1, Frobenius norm 2.
    expected = torch.tensor([[0.5, 0.0, -0.5], [0.0, 0.0, 0.0], [-0.5, 0.0, 0.5]])
    states = torch.tensor([[[1.0], [torch.nan], [3.0]], [[4.0], [4.0], [4.0]], [[5.0], [6.0], [7.0]]])
    mask = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 0, 1]])
    torch.testing.assert_close(word_gram(states, mask), torch.stack([expected, 0 * expected, 0 * expected]))
    late = torch.tensor([[[torch.nan], [1.0], [3.0]]])  # the first token is no token
    torch.testing.assert_close(word_gram(late, torch.tensor([[0, 1, 1]]))[0, 1:, 1:], expected[::2, ::2])


def test_what_is_kept_for_the_gradient_is_one_copy() -> None:
    student, teacher = random(4, 50, 64).requires_grad_(), random(4, 50, 64, seed=1)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = fsd_local(student, teacher, None)
    assert sum(kept.values()) < 1.1 * student.nbytes
    loss.backward()


@pytest.mark.parametrize("name", LOSSES)
def test_padding_has_no_part(name: str) -> None:
    student, teacher = random(4, 5, 6), random(4, 5, 7, seed=1)
    padded = torch.nn.functional.pad(MASK, (0, 3))
    results = []
    for mask, filling in ((MASK, 5.0), (padded, torch.nan)):
        longer = [torch.nn.functional.pad(x, (0, 0, 0, mask.shape[1] - 5)) for x in (student, teacher)]
        ours, theirs = (x.masked_fill(mask.unsqueeze(-1) == 0, filling) for x in longer)
        ours.requires_grad_()
        loss = LOSSES[name](ours, theirs, mask)
        (gradient,) = torch.autograd.grad(loss, ours)
        assert torch.equal(gradient[mask == 0], torch.zeros_like(gradient[mask == 0]))
        results.append((loss.detach(), gradient[:, :5]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-12)
    assert LOSSES[name](student, teacher, None) != results[0][0]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e8])
def test_float32_is_precise(offset: float, scale: float) -> None:
    for shape in ((8, 20, 64), (2, 300, 8)):
        student, teacher = ((scale * (random(*shape, seed=s) + offset)).float() for s in (0, 1))
        for loss in LOSSES.values():
            expected = loss(student.double(), teacher.double(), None)
            torch.testing.assert_close(loss(student, teacher, None).double(), expected, rtol=0, atol=2e-6)


def adversarial(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor, Tensor | None]]:
    student, teacher = random(4, 5, 33, dtype=dtype), random(4, 5, 48, seed=1, dtype=dtype)
    equal, equal_teacher = (x[:1, :1].expand_as(x) for x in (student, teacher))
    zero = torch.zeros_like
    return {
        "ordinary": (student, teacher, MASK),
        "equal tokens": (30 * equal, equal_teacher, MASK),
        "equal student": (30 * equal, teacher, MASK),
        "equal teacher": (student, equal_teacher, None),
        "equal far away": (equal + 1000, teacher + 1000, None),
        "zero": (zero(student), zero(teacher), MASK),
        "zero student": (zero(student), teacher, None),
        "tiny": (1e-15 * student, 1e-15 * teacher, MASK),
        "large": (1e10 * student, 1e10 * teacher, MASK),
        "same": (student, student, MASK),
        "length 1": (student[:, :1], teacher[:, :1], None),
        "length 2": (student[:, :2], teacher[:, :2], MASK[:, :2]),
        "batch 1": (student[:1], teacher[:1], None),
        "all padding but one": (student, teacher, torch.eye(5, dtype=torch.long)[[0, 0, 0, 0]]),
        "no token": (student, teacher, torch.zeros_like(MASK)),
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_are_finite(name: str, dtype: torch.dtype) -> None:
    for kind, (student, teacher, mask) in adversarial(dtype).items():
        student, teacher = student.clone().requires_grad_(), teacher.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = LOSSES[name](student, teacher, mask)
        loss.backward()
        assert loss.dtype == torch.float32, kind
        assert torch.isfinite(loss), kind
        assert loss >= 0, kind
        assert student.grad is not None, kind
        assert torch.isfinite(student.grad).all(), kind
        assert teacher.grad is None, kind
        nothing = {"batch 1": "local", "length 1": "intra", "all padding but one": "intra", "no token": "intra"}
        if nothing.get(kind) == name:
            assert loss == 0, kind
        if kind.startswith(("equal", "zero")) and name == "intra":  # no relation in common: the worst value
            assert loss.item() == pytest.approx(-math.log(1e-8), rel=1e-5), kind
            assert not student.grad.any(), kind
