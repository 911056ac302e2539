"""One forward pass of a network, answered in the terms of what a recipe needs."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

import torch
from torch import nn

from raykd.methods.recipe import LOGITS, Need, Seen
from raykd.models.outputs import forward

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch


def observe(model: nn.Module, batch: Batch, needs: Set[Need]) -> Seen:
    """Run `model` on `batch` and keep exactly the answers in `needs`.

    Hidden states are requested of the model only where a need names a layer; without any need it is not run at all.
    """
    if not needs:
        return Seen({})
    layers = sorted(need.layer for need in needs if need.kind == "hidden")
    outputs = forward(
        model,
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        token_type_ids=batch.token_type_ids,
        hidden_states=bool(layers),
    )
    answers = {Need("hidden", layer): (outputs.hidden_states or ())[layer] for layer in layers}
    if LOGITS in needs:
        answers[LOGITS] = outputs.logits
    return Seen(answers)


class LiveTeacher:
    """A frozen teacher that answers each batch by a forward pass, in evaluation mode and without gradients."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval().requires_grad_(False)

    @torch.no_grad()
    def answer(self, batch: Batch, needs: Set[Need]) -> Seen:
        """What the teacher says of `batch`."""
        return observe(self.model, batch, needs)
