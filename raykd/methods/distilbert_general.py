"""DistilBERT's pre-training: the triple loss on masked text (Sanh, Debut, Chaumond & Wolf 2019, sections 2 and 3).

loss = alpha_ce T^2 KL(teacher || student) + alpha_mlm CE(hidden words) + alpha_cos (1 - cos), with 5, 2, 1 and T = 2 as
in the published training. Both networks read one text in which words are masked, as BERT's were: of those to be
predicted 80 % are the mask, 10 % any word, 10 % as they were.

* KL: of the distributions over the vocabulary, mean over attended tokens; positions "masked" takes those to be
  predicted, the published code's restrict_ce_to_mask.
* CE: with the words that were there, mean over the positions to be predicted.
* cos: of the last hidden states, mean over attended tokens. Widths must be equal for it.

Ours: each word is to be predicted with the same probability by itself. The published code draws a fixed number in a
batch, rare words oftener. A word in a mask's place is never a special token: padding amid a text would move RoBERTa's
positions.

Logits over V words are made for PART positions at a time and, where that is not all, made once more for the gradient
instead of being kept: with 30,000 words the logits of one batch outweigh both networks.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from raykd.errors import UserError, together
from raykd.losses.gumbel import mask_tokens
from raykd.losses.hidden import cosine_loss
from raykd.losses.logits import NO_LABEL
from raykd.losses.vocabulary import masked_lm, vocabulary_kl
from raykd.methods.checks import check_weighs
from raykd.methods.layers import check_alike
from raykd.methods.method import Pair, Parameters
from raykd.methods.recipe import Recipe, Scene, Stage, Step, Term, Vocabulary
from raykd.methods.seen import hidden
from raykd.methods.vocabulary_heads import VocabularyHeads, make_heads
from raykd.models.inside import bare

if TYPE_CHECKING:
    from raykd.tasks.encode import Batch

MASKED, REPLACED = 0.8, 0.1  # of the words to be predicted; the others stay
PART = 1024  # positions whose logits are held at a time: 125 MB for 30,000 words
SHARED = "triple"


class DistilBERTGeneralParameters(Parameters):
    """The three weights, named as in the published code, and the masking."""

    temperature: float = Field(2.0, gt=0, description="T of the soft term")
    alpha_ce: float = Field(5.0, ge=0, description="weight of the soft term, over the vocabulary")
    alpha_mlm: float = Field(2.0, ge=0, description="weight of masked language modelling")
    alpha_cos: float = Field(1.0, ge=0, description="weight of the cosine of the last hidden states")
    mask_probability: float = Field(0.15, gt=0, le=1, description="of a word to be predicted")
    positions: Literal["all", "masked"] = Field("all", description="of the soft term: attended, or to be predicted")


def general(parameters: DistilBERTGeneralParameters, pair: Pair) -> Recipe:
    """One stage of three terms. UserError for unequal widths or word tables, and where every weight is 0."""
    p = parameters
    together(
        [
            lambda: check_weighs(alpha_ce=p.alpha_ce, alpha_mlm=p.alpha_mlm, alpha_cos=p.alpha_cos),
            lambda: check_alike(pair, width=bool(p.alpha_cos)),
            lambda: _check_tables(pair),
        ]
    )

    def term(name: str, weight: float) -> Term:
        def loss(step: Step) -> Tensor:
            if SHARED not in step.shared:  # one masked text and one pass of each network for all terms
                step.shared[SHARED] = _triple(step, p, pair)
            value: Tensor = step.shared[SHARED][name]
            return value

        return Term(name, weight, loss)

    terms = (term("soft", p.alpha_ce), term("mlm", p.alpha_mlm), term("cosine", p.alpha_cos))
    return Recipe((Stage(terms, name="general", scored=False),), extras={"heads": _heads}, live=True)


def _check_tables(pair: Pair) -> None:
    teacher, student = pair.teacher.vocabulary, pair.student.vocabulary
    if teacher != student:
        raise UserError(
            f"word embeddings: the student has {student}, the teacher {teacher}; they are compared word by word, so "
            f"the student needs {teacher} (e.g. cut from the teacher)"
        )


def _heads(scene: Scene) -> VocabularyHeads:
    if scene.vocabulary.mask is None:
        raise UserError("the teacher's tokenizer has no mask token (mask_token), which this method needs: take another")
    return make_heads(scene)


def _triple(step: Step, p: DistilBERTGeneralParameters, pair: Pair) -> dict[str, Tensor]:
    """The losses that have a weight, on the step's text, newly masked."""
    live = step.live
    assert live is not None, "the recipe is live"
    batch, labels = masked_text(step.batch, live.vocabulary, p.mask_probability)
    last_s, last_t = pair.student.layers, pair.teacher.layers
    own = live.observe(live.student, batch, hidden((last_s,))).of("hidden", last_s)  # [B, L, D]
    with torch.no_grad():
        told = live.observe(live.teacher, batch, hidden((last_t,))).of("hidden", last_t)
    losses = {}
    if p.alpha_ce or p.alpha_mlm:
        losses = _over_words(own, told, labels, batch.attention_mask.bool(), step, p)
    if p.alpha_cos:
        losses["cosine"] = cosine_loss(own, told, batch.attention_mask)
    return losses


def _over_words(
    own: Tensor, told: Tensor, labels: Tensor, real: Tensor, step: Step, p: DistilBERTGeneralParameters
) -> dict[str, Tensor]:
    """The two losses over the vocabulary, of last hidden states [B, L, D] and labels [B, L]; part by part."""
    live, heads = step.live, step.extras["heads"]
    assert live is not None
    assert isinstance(heads, VocabularyHeads)
    masked = labels != NO_LABEL
    chosen = real if p.alpha_ce and p.positions == "all" else masked
    part = partial(_part, heads, _table(live.student), p)
    pieces = list(zip(*(of[chosen].split(PART) for of in (own, told, labels)), strict=True))
    if len(pieces) == 1:
        sums = part(*pieces[0])
    else:  # a head has no dropout, so no random state need be put back
        again = partial(checkpoint, part, use_reentrant=False, preserve_rng_state=False)
        sums = torch.stack([again(*piece) for piece in pieces]).sum(0)
    return {"soft": sums[0] / chosen.sum().clamp_min(1), "mlm": sums[1] / masked.sum().clamp_min(1)}


def _part(
    heads: VocabularyHeads, table: Tensor, p: DistilBERTGeneralParameters, own: Tensor, told: Tensor, labels: Tensor
) -> Tensor:
    """The sums [2] of the soft and of the masked words' losses over n positions: states [n, D], labels [n]."""
    logits, masked = heads.student(own, table), labels != NO_LABEL
    mlm = masked_lm(logits, labels) * masked.sum()
    if not p.alpha_ce:
        return torch.stack([torch.zeros_like(mlm), mlm])
    soft = vocabulary_kl(logits, heads.teacher(told), torch.ones_like(masked), p.temperature) * len(labels)
    return torch.stack([soft, mlm])


def masked_text(batch: Batch, vocabulary: Vocabulary, probability: float) -> tuple[Batch, Tensor]:
    """A batch in which words are masked, and labels [B, L]: the ids to be predicted, -100 elsewhere.

    A token that is neither special nor padding is to be predicted with `probability`. Draws from torch's generators.
    """
    ids, device = batch.input_ids, batch.input_ids.device
    assert vocabulary.mask is not None, "_heads refuses a tokenizer without"
    all_masked, chosen = mask_tokens(ids, batch.attention_mask, vocabulary.special, vocabulary.mask, probability)
    words = torch.arange(vocabulary.size, device=device)
    words = words[~torch.isin(words, torch.tensor(vocabulary.special, device=device))]
    others = words[torch.randint(len(words), ids.shape, device=device)]
    drawn = torch.rand(ids.shape, device=device)
    replaced = chosen & (drawn >= MASKED) & (drawn < MASKED + REPLACED)
    kept = chosen & (drawn >= MASKED + REPLACED)
    masked = torch.where(kept, ids, torch.where(replaced, others.to(ids.dtype), all_masked))
    return replace(batch, input_ids=masked), ids.masked_fill(~chosen, NO_LABEL)


def _table(network: nn.Module) -> Tensor:
    """The word embeddings [V, E] of a network."""
    inner: Any = bare(network)
    weight: Tensor = inner.get_input_embeddings().weight
    return weight
