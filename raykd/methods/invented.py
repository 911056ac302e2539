"""Text that a generator invents after a batch, and what student and teacher say of it (MATE-KD, Combined-KD).

Of every text each token but special ones is masked with a probability, always by the tokenizer's mask. The generator
fills the masks with words drawn from its softmax, and both networks read the result, each with its own word table.

* In the generator's turn a straight-through Gumbel-softmax (tau = 1) lets the divergence of the two networks flow
  through both into the generator; their own weights collect nothing.
* In the student's turn the words are constants, and so is the teacher.

The teacher is in evaluation mode; student and generator have their dropout in both turns, as in the published code.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raykd.losses.adversarial import Divergence, generator_loss
from raykd.losses.gumbel import mask_tokens, mixed_embeddings, straight_through
from raykd.methods.generator import Generator, GeneratorParameters, check_generator, make_generator
from raykd.methods.recipe import Live, Opponent, Step
from raykd.methods.seen import SEE_LOGITS
from raykd.models.inside import bare


def generator_of(parameters: GeneratorParameters, divergence: Divergence, *, until: float = 1.0) -> Opponent:
    """The generator as a recipe's opponent, raising `divergence` of the networks on its text, T = 1."""

    def loss(step: Step) -> Tensor:
        """Minus the divergence, with a graph to the generator through both networks."""
        live, batch = _live(step), step.batch
        masked, logits = _fill(step, live, parameters.mask_probability)
        words = straight_through(logits)
        student, teacher = (
            # The tables are no part of the generator: their gradients would be worked out for nobody.
            _read(step, network, mixed_embeddings(batch.input_ids, masked, words, _table(network).detach()))
            for network in (live.student, live.teacher)
        )
        return generator_loss(student, teacher, divergence)

    return Opponent(
        make=partial(make_generator, parameters.generator),
        check=partial(check_generator, parameters.generator),
        loss=loss,
        learning_rate=parameters.generator_learning_rate,
        turns=parameters.generator_turns,
        cycle=parameters.generator_cycle,
        until=until,
    )


def invented_logits(step: Step, probability: float) -> tuple[Tensor, Tensor]:
    """What student and teacher say of a text newly invented after the step's batch, with a graph to the student only.

    [B, C] each, or as the task's logits are. probability: of a token to be masked. Draws from torch's generators.
    """
    live = _live(step)
    with torch.no_grad():
        masked, logits = _fill(step, live, probability)
        words = straight_through(logits).argmax(dim=-1)
    text = step.batch.input_ids.masked_scatter(masked, words)
    # Not as ids: RoBERTa would take a padding token among them for the end, and count its positions otherwise.
    student = _read(step, live.student, F.embedding(text, _table(live.student)))
    with torch.no_grad():
        return student, _read(step, live.teacher, F.embedding(text, _table(live.teacher)))


def _live(step: Step) -> Live:
    assert step.live is not None, "the recipe is live"
    return step.live


def _fill(step: Step, live: Live, probability: float) -> tuple[Tensor, Tensor]:
    """The positions masked, bool [B, L], and the generator's logits [n, V] there."""
    batch, vocabulary = step.batch, live.vocabulary
    assert isinstance(live.opponent, Generator)
    assert vocabulary.mask is not None, "make_generator refuses a tokenizer without"
    ids, masked = mask_tokens(batch.input_ids, batch.attention_mask, vocabulary.special, vocabulary.mask, probability)
    return masked, live.opponent(replace(batch, input_ids=ids), masked)


def _read(step: Step, network: nn.Module, embeddings: Tensor) -> Tensor:
    """The logits of a network on word embeddings [B, L, D] of its own table."""
    return _live(step).observe(network, step.batch, SEE_LOGITS, inputs_embeds=embeddings).logits


def _table(network: nn.Module) -> Tensor:
    """The word embeddings [V, D] of a network; D may be less than its width (ELECTRA, MobileBERT)."""
    inner: Any = bare(network)
    weight: Tensor = inner.get_input_embeddings().weight
    return weight
