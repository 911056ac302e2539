"""MiniLM's relations: plain loops, a rotation that changes nothing, padding, input that breaks arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from raykd.losses.attention_relations import (
    MINILM_V1,
    MINILM_V2,
    minilm,
    minilm_of,
    relation,
    relation_kl,
    relation_kl_of,
    relation_scores,
    split_heads,
)

MASK = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
HEADS = 2

QKV = dict[str, Tensor]


def projections(dtype: torch.dtype = torch.float64, widths: tuple[int, int] = (6, 8)) -> tuple[QKV, QKV]:
    """Student's and teacher's queries, keys and values, [3, 5, D]; the student's want gradients."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        {part: torch.randn(*MASK.shape, width, generator=generator, dtype=torch.float64).to(dtype) for part in "qkv"}
        for width in widths
    )
    return {part: x.requires_grad_() for part, x in student.items()}, teacher


def loop(student: QKV, teacher: QKV, mask: Tensor, heads: int, pairs: tuple[str, ...]) -> Tensor:
    def rows(given: QKV, pair: str, b: int, h: int) -> list[Tensor]:
        width = given["q"].shape[-1] // heads
        tokens = mask[b].nonzero().flatten().tolist()
        x, y = ([given[part][b, i, h * width : (h + 1) * width] for i in tokens] for part in pair)
        return [torch.softmax(torch.stack([a @ c / width**0.5 for c in y]), dim=0) for a in x]

    total = torch.zeros((), dtype=torch.float64)
    for pair in pairs:
        for b in range(len(mask)):
            for h in range(heads):
                for p, q in zip(rows(teacher, pair, b, h), rows(student, pair, b, h), strict=True):
                    total = total + (p * (p / q).log()).sum() / (len(mask) * heads * int(mask[b].sum()))
    return total


def gradients(loss: Tensor, student: QKV) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(student.values()), allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize("pairs", [MINILM_V1, MINILM_V2, ("kq",)])
@pytest.mark.parametrize("heads", [1, HEADS])
def test_equals_plain_loops(pairs: tuple[str, ...], heads: int) -> None:
    student, teacher = projections()
    value, expected = (way(student, teacher, MASK, heads, pairs) for way in (minilm, loop))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, student), gradients(expected, student))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_relations_that_are_given_are_those_of_projections(dtype: torch.dtype) -> None:
    """Whatever stands at padding, of either."""
    student, teacher = projections(dtype)
    pairs = ("qk", "qq", "vv")
    padding = ~MASK.bool()
    both = (padding[:, None, :, None] | padding[:, None, None, :]).expand(-1, HEADS, -1, -1)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        expected = minilm(student, teacher, MASK, HEADS, pairs)
        expected_gradients = gradients(expected, student)
        for nowhere in (torch.nan, torch.inf, -1e9):
            theirs = {part: x.masked_fill(padding.unsqueeze(-1), nowhere) for part, x in teacher.items()}
            scores = {pair: relation_scores(theirs[pair[0]], theirs[pair[1]], HEADS) for pair in pairs}
            for given in (scores, {pair: x.masked_fill(both, nowhere) for pair, x in scores.items()}):
                value = minilm_of(student, given, MASK, HEADS, pairs)
                assert value == expected
                assert all(map(torch.equal, gradients(value, student), expected_gradients))


def test_scores_by_loop() -> None:
    _, teacher = projections()
    scores = relation_scores(teacher["q"], teacher["k"], HEADS)
    assert scores.shape == (3, HEADS, 5, 5)
    for b, h, i, j in np.ndindex(*scores.shape):
        x, y = teacher["q"][b, i, 4 * h : 4 * h + 4], teacher["k"][b, j, 4 * h : 4 * h + 4]
        assert scores[b, h, i, j].item() == pytest.approx((x @ y).item() / 2)
    stacked = relation_scores(torch.stack([teacher["q"]] * 2), torch.stack([teacher["k"]] * 2), HEADS)
    torch.testing.assert_close(stacked, torch.stack([scores] * 2))
    assert relation_scores(teacher["q"].bfloat16(), teacher["k"].bfloat16(), HEADS).dtype == torch.float32


def test_relation_of_queries_and_keys_is_the_attention_distribution() -> None:
    student, _ = projections()
    q, k, v = (split_heads(student[part], HEADS) for part in "qkv")
    mask = MASK.bool()[:, None, None, :]
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    ours = relation(q, k, MASK).exp() @ v
    rows = MASK.bool()[:, None, :, None].expand_as(ours)  # rows of padding mean nothing
    torch.testing.assert_close(ours[rows], expected[rows])


def test_split_heads_takes_neighbouring_columns() -> None:
    x = torch.arange(12.0).reshape(1, 2, 6)
    assert split_heads(x, 3).tolist() == [[[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]]
    assert split_heads(torch.zeros(2, 3, 4, 6), 2).shape == (2, 3, 2, 4, 3)


def test_by_hand() -> None:
    # Two tokens of width 1: the teacher's scores are all 0, the student's 0 and ln 3 in either row.
    ones, zeros = torch.ones(1, 2, 1), torch.zeros(1, 2, 1)
    keys = torch.tensor([[[0.0], [math.log(3)]]])
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert relation_kl(ones, keys, zeros, zeros, torch.ones(1, 2), 1).item() == pytest.approx(expected)


def test_rotating_the_heads_changes_nothing() -> None:
    student, teacher = projections()
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    turn = torch.block_diag(rotation, rotation)
    expected = minilm(student, teacher, MASK, HEADS, MINILM_V2)
    rotated = {part: x @ turn for part, x in student.items()}
    torch.testing.assert_close(minilm(rotated, teacher, MASK, HEADS, MINILM_V2), expected)
    order = torch.tensor([2, 0, 1])  # of the samples
    mixed, theirs = ({part: x[order] for part, x in side.items()} for side in (student, teacher))
    torch.testing.assert_close(minilm(mixed, theirs, MASK[order], HEADS, MINILM_V2), expected)


def test_padding_has_no_part() -> None:
    student, teacher = projections()
    expected = minilm(student, teacher, MASK, HEADS)
    expected_gradients = gradients(expected, student)

    padding = ~MASK.bool().unsqueeze(-1)
    nowhere = {part: x.detach().masked_fill(padding, torch.nan).requires_grad_() for part, x in student.items()}
    theirs = {part: x.masked_fill(padding, torch.nan) for part, x in teacher.items()}
    value = minilm(nowhere, theirs, MASK, HEADS)
    assert value == expected
    assert all(map(torch.equal, gradients(value, nowhere), expected_gradients))

    longer, theirs = (
        {part: pad(x, (0, 0, 0, 4), value=9.0) for part, x in side.items()} for side in (student, teacher)
    )
    value = minilm(longer, theirs, pad(MASK, (0, 4)), HEADS)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, student), expected_gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_on_any_input(dtype: torch.dtype) -> None:
    none, one = torch.zeros_like(MASK), torch.zeros_like(MASK)
    one[0, 2] = 1
    base, teacher = projections(dtype, widths=(8, 8))
    for times in (1.0, 0.0, 1e-15, 1e3):
        for theirs in (teacher, {part: x.detach() for part, x in base.items()}, {p: 0 * x for p, x in teacher.items()}):
            for mask, kept in ((MASK, 3), (MASK, 1), (none, 3), (one, 3), (MASK[:, :1], 3), (MASK[:, :2], 3)):
                student = {
                    part: (times * x.detach()[:kept, : mask.shape[1]]).requires_grad_() for part, x in base.items()
                }
                cut = {part: x[:kept, : mask.shape[1]] for part, x in theirs.items()}
                with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                    value = minilm(student, cut, mask[:kept], HEADS, ("qk", "qq", "kk", "vv"))
                assert value.dtype == torch.float32
                assert torch.isfinite(value)
                assert all(torch.isfinite(gradient).all() for gradient in gradients(value, student))
                if mask is none or mask is one:  # one key: every distribution is the same
                    assert value == 0


def test_equal_networks_have_no_loss_and_autocast_changes_nothing() -> None:
    student, teacher = projections(torch.bfloat16)
    assert minilm(student, student, MASK, HEADS) == 0
    wide = [{part: x.detach().float() for part, x in side.items()} for side in (student, teacher)]
    expected = minilm(wide[0], wide[1], MASK, HEADS)
    with torch.autocast("cpu", torch.bfloat16):
        assert minilm(student, teacher, MASK, HEADS) == expected
        assert minilm(wide[0], wide[1], MASK, HEADS) == expected


def test_the_teacher_is_a_constant() -> None:
    student, teacher = projections()
    for x in teacher.values():
        x.requires_grad_()
    minilm(student, teacher, MASK, HEADS).backward()
    assert all(x.grad is None for x in teacher.values())
    scores = relation_scores(teacher["q"], teacher["k"], HEADS)
    relation_kl_of(student["q"], student["k"], scores, MASK, HEADS).backward()
    assert all(x.grad is None for x in teacher.values())


def test_bad_input() -> None:
    student, teacher = projections()
    with pytest.raises(ValueError, match="4 relation heads do not divide the width 6"):
        minilm(student, teacher, MASK, 4)
    with pytest.raises(ValueError, match="3 relation heads do not divide the width 8"):
        minilm(student, teacher, MASK, 3)
    with pytest.raises(ValueError, match="0 relation heads"):
        split_heads(student["q"], 0)
    for pairs in (("qx",), ("q",), ("qkv",), ()):
        with pytest.raises(ValueError, match="two letters of 'q', 'k' and 'v'"):
            minilm(student, teacher, MASK, HEADS, pairs)
        with pytest.raises(ValueError, match="two letters of 'q', 'k' and 'v'"):
            minilm_of(student, {}, MASK, HEADS, pairs)
    for heads in (1, 3):
        with pytest.raises(ValueError, match=f"are of {heads} relation heads, not of 2"):
            relation_kl_of(student["q"], student["k"], torch.zeros(3, heads, 5, 5), MASK, HEADS)
