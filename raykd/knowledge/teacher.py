"""The teacher as the loop knows it: what is stored of it answers, and the network only where nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import PreTrainedModel

from raykd.knowledge.observe import observe
from raykd.knowledge.shards import Damaged
from raykd.methods.seen import Need, Seen
from raykd.models.inside import bare
from raykd.models.shape import Shape, shape

if TYPE_CHECKING:
    from raykd.knowledge.store import Knowledge
    from raykd.tasks.encode import Batch


class Teacher:
    """A frozen teacher. load: the network, called at the first question that nothing stored answers, if ever.

    stored: its answers on the training split, by row.
    """

    def __init__(self, shape: Shape, load: Callable[[], nn.Module], stored: Knowledge | None = None) -> None:
        self.shape = shape
        self.stored = stored
        self._load = load
        self._network: nn.Module | None = None

    def network(self, device: torch.device | str) -> nn.Module:
        """The network itself, in evaluation mode and without gradients."""
        if self._network is None:
            self._network = self._load().to(device).eval().requires_grad_(False)
        return self._network

    def answer(self, batch: Batch, needs: Set[Need], device: torch.device | str = "cpu") -> Seen:
        """What the teacher says of `batch`, whose rows are of the training split; the answers are on `device`.

        The batch is best left on the CPU, where what is stored is put together: nothing waits for an accelerator then.
        """
        if self.stored is None:
            return self.live(batch.to(device), needs)
        known = {need for need in needs if self.stored.has(need)}
        try:
            answers = dict(self.stored.answer(batch, known, device).answers) if known else {}
        except Damaged:  # removed or damaged while the run used it: the network knows the same
            self.stored = None
            return self.live(batch.to(device), needs)
        if needs - known:
            answers |= self.live(batch.to(device), needs - known).answers
        return Seen(answers)

    @torch.no_grad()
    def live(self, batch: Batch, needs: Set[Need]) -> Seen:
        """What the network says of any batch."""
        return observe(self.network(batch.input_ids.device), batch, needs) if needs else Seen({})


def live_teacher(model: nn.Module) -> Teacher:
    """A teacher of which nothing is stored."""
    inner = bare(model)
    assert isinstance(inner, PreTrainedModel)
    return Teacher(shape(inner), lambda: model)
