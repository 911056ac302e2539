"""What is seen inside a network, for every kind of encoder, against what transformers itself reports."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from raykd.errors import UserError
from raykd.knowledge.observe import NOWHERE, observe
from raykd.methods.seen import LOGITS, Need, hidden, needs
from raykd.tasks.encode import Batch
from tests.kinds import KINDS, WORDS, tiny

each_kind = pytest.mark.parametrize("kind", KINDS)


def some(padded: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, WORDS, (2, 7), generator=generator)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    ids, mask = (torch.nn.functional.pad(part, (0, padded), value=fill) for part, fill in ((ids, 1), (mask, 0)))
    return Batch(ids, mask, None, torch.tensor([0, 1]), torch.arange(2))


@each_kind
def test_attention_and_states_are_the_networks_own(kind: str) -> None:
    model, batch = tiny(kind, 3, "classes", attention="eager"), some()
    asked = {LOGITS} | hidden((0, 3)) | needs("cls", (2,)) | needs("attention", (1, 2, 3))
    seen = observe(model, batch, asked)
    assert set(seen.answers) == asked
    every = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        output_attentions=True,
        output_hidden_states=True,
    )
    torch.testing.assert_close(seen.attention((1, 2, 3)), torch.stack(every.attentions), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(seen.hidden((0, 3)), torch.stack([every.hidden_states[0], every.hidden_states[3]]))
    torch.testing.assert_close(seen.cls((2,))[0], every.hidden_states[2][:, 0])
    torch.testing.assert_close(seen.logits, every.logits)


@each_kind
def test_scores_are_products_of_queries_and_keys(kind: str) -> None:
    seen = observe(tiny(kind, 2, "classes"), some(), needs("scores", (1,)) | needs("query", (1,)) | needs("key", (1,)))
    query, key = (seen.of(role, 1).unflatten(-1, (4, -1)) for role in ("query", "key"))
    by_hand = torch.einsum("bihd,bjhd->bhij", query, key) / query.shape[-1] ** 0.5
    torch.testing.assert_close(seen.scores((1,))[0], by_hand, rtol=1e-4, atol=1e-6)


@each_kind
def test_a_nudge_moves_the_embedding_output(kind: str) -> None:
    model, batch = tiny(kind, 2, "classes"), some()
    seen = observe(model, batch, {LOGITS, Need("hidden", 0)})
    (gradient,) = torch.autograd.grad(seen.logits.sum(), seen.answers[Need("hidden", 0)])
    assert float(gradient.abs().max()) > 0

    def total(nudge: Tensor) -> float:
        return observe(model, batch, {LOGITS}, nudge=nudge).logits.double().sum().item()

    assert total(torch.zeros_like(gradient)) == pytest.approx(seen.logits.double().sum().item(), abs=1e-6)
    step = 1e-2 * gradient / gradient.norm()
    expected = float((step * gradient).sum())
    assert total(step) - total(-step) == pytest.approx(2 * expected, rel=0.02)


@each_kind
def test_embeddings_may_take_the_place_of_tokens(kind: str) -> None:
    model, batch = tiny(kind, 2, "classes"), some()
    embedded = model.get_input_embeddings()(batch.input_ids)
    given = observe(model, batch, {LOGITS}, inputs_embeds=embedded).logits
    torch.testing.assert_close(given, observe(model, batch, {LOGITS}).logits)


@each_kind
def test_spans_are_two_classifications_over_positions(kind: str) -> None:
    model, batch = tiny(kind, 2, "span"), some()
    logits = observe(model, batch, {LOGITS}).logits
    every = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    assert logits.shape == (4, 7)
    torch.testing.assert_close(logits[0], every.start_logits[0])
    torch.testing.assert_close(logits[3, :4], every.end_logits[1, :4])
    assert (logits[[1, 3], 4:] == NOWHERE).all()


@each_kind
def test_padding_is_not_seen(kind: str) -> None:
    model = tiny(kind, 2, "classes")
    asked = {LOGITS, *hidden((2,)), *needs("attention", (1,)), *needs("cls", (1,))}
    short, long = observe(model, some(), asked), observe(model, some(padded=5), asked)
    torch.testing.assert_close(short.logits, long.logits, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(short.hidden((2,))[:, 1, :4], long.hidden((2,))[:, 1, :4], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(short.attention((1,))[:, 0], long.attention((1,))[:, 0, :, :7, :7], rtol=1e-4, atol=1e-6)
    assert (long.attention((1,))[..., 7:] == 0).all()


def test_an_architecture_that_cannot_be_looked_into_is_refused() -> None:
    model = tiny("bert", 2, "classes")
    model.config.num_hidden_layers = 5
    with pytest.raises(UserError, match="looked for one list of 5 layers, found 0"):
        observe(model, some(), needs("scores", (1,)))
