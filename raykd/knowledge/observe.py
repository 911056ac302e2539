"""One forward pass of a network, answered in the terms of what a recipe needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from raykd.losses.attention_relations import relation_scores
from raykd.losses.cka import word_gram
from raykd.losses.distances import layer_distances, word_distances
from raykd.methods.seen import LOGITS, OF_ATTENTION, PROJECTED, Need, Seen, projections_of
from raykd.models.inside import bare, layers, projections
from raykd.models.outputs import forward

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch

OF_STATES = ("hidden", "cls", "word_distances", "layer_distances", "word_gram")
NOWHERE = -1e4  # the logit of a padded position as an answer's start or end: no weight, and finite in float16


def observe(
    model: nn.Module,
    batch: Batch,
    needs: Set[Need],
    *,
    inputs_embeds: Tensor | None = None,
    nudge: Tensor | None = None,
) -> Seen:
    """Run `model` on `batch` and keep exactly the answers in `needs`.

    Without any need it is not run at all. inputs_embeds [B, L, D_embedding] takes the place of the token ids; nudge
    [B, L, D] is added to the embedding output. Queries, keys and values are taken from the projections by hooks, and
    scores are computed from them, so attention may be SDPA and costs nothing where nobody asks.
    """
    if not needs:
        return Seen({})
    needs = {replace(need, padding=False) for need in needs}  # a live network always answers at padding, too
    asked = sorted(need for need in needs if need.kind in OF_STATES)
    with ExitStack() as hooks:
        projected = hooks.enter_context(_projected(model, needs))
        if nudge is not None:
            hooks.enter_context(_nudged(model, nudge))
        outputs = forward(
            model,
            input_ids=batch.input_ids if inputs_embeds is None else None,
            inputs_embeds=inputs_embeds,
            attention_mask=batch.attention_mask,
            token_type_ids=batch.token_type_ids,
            hidden_states=bool(asked),
        )
    answers: dict[Need, Tensor] = {}
    for need in asked:
        answers[need] = _of_states(need, outputs.hidden_states or (), batch.attention_mask)
    for need in needs:
        if need.kind in OF_ATTENTION:
            answers[need] = _of_attention(need, projected, batch.attention_mask, _heads(model))
    if LOGITS in needs:
        answers[LOGITS] = _logits(outputs.logits, batch.attention_mask)
    return Seen(answers)


def related(need: Need, projected: Mapping[Need, Tensor]) -> Tensor:
    """The relation `need` [B, H, L, L] of the projections [B, L, D] that `projections_of` names."""
    x, y = (projected[Need(PROJECTED[letter], need.layer)] for letter in need.letters)
    return relation_scores(x, y, need.heads)


def _logits(logits: Tensor, attention_mask: Tensor) -> Tensor:
    """As they are; those of spans [B, L, 2] become [2 B, L], two classifications over the real positions."""
    if logits.ndim == 2:
        return logits
    starts_then_ends = logits.permute(2, 0, 1).reshape(-1, logits.shape[1])
    return starts_then_ends.masked_fill(attention_mask.repeat(2, 1) == 0, NOWHERE)


def _of_states(need: Need, states: tuple[Tensor, ...], attention_mask: Tensor) -> Tensor:
    if need.kind == "layer_distances":
        return layer_distances(torch.stack([states[layer] for layer in need.layers]), attention_mask)
    if need.kind == "word_distances":
        return word_distances(states[need.layer], attention_mask, need.reach)
    if need.kind == "word_gram":
        return word_gram(states[need.layer], attention_mask)
    return states[need.layer] if need.kind == "hidden" else states[need.layer][:, 0]


def _heads(model: nn.Module) -> int:
    inner: Any = bare(model)
    return int(inner.config.num_attention_heads)


def _of_attention(need: Need, projected: dict[Need, Tensor], attention_mask: Tensor, heads: int) -> Tensor:
    if need.kind in ("query", "key", "value"):
        return projected[need]
    if need.kind == "relation":
        return related(need, projected)
    query, key = (
        projected[Need(kind, need.layer)].unflatten(-1, (heads, -1)).transpose(1, 2) for kind in ("query", "key")
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if need.kind == "scores":
        return scores
    padded = attention_mask[:, None, None, :] == 0
    return scores.float().masked_fill(padded, torch.finfo(torch.float32).min).softmax(-1)


@contextmanager
def _projected(model: nn.Module, needs: Set[Need]) -> Iterator[dict[Need, Tensor]]:
    """Within it, a forward pass leaves in the dict each layer's projections that `needs` are made of."""
    wanted = {need for need in needs if need.kind in ("query", "key", "value")}
    wanted |= {source for need in needs for source in projections_of(need)}
    wanted |= {
        Need(kind, need.layer)
        for need in needs
        if need.kind in ("scores", "attention")
        for kind in ("query", "key")
    }  # fmt: skip
    found: dict[Need, Tensor] = {}

    def keep(need: Need, module: nn.Module, given: Any, answer: Tensor) -> None:
        found[need] = answer

    places = projections(model) if wanted else []
    roles = {need: vars(places[need.layer - 1])[need.kind] for need in wanted}
    handles = [module.register_forward_hook(partial(keep, need)) for need, module in roles.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _nudged(model: nn.Module, nudge: Tensor) -> Iterator[None]:
    """Within it, `nudge` is added to what enters the first layer."""

    def add(module: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if positional:
            return (positional[0] + nudge, *positional[1:]), named
        return positional, named | {"hidden_states": named["hidden_states"] + nudge}

    handle = layers(model)[0].register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
