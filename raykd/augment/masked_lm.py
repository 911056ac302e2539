"""A masked language model from a folder: its tokenizer, its vocabulary, and its scores at the masks of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from raykd.augment.pieces import Vocabulary, vocabulary_of
from raykd.errors import UserError
from raykd.models.classifier import load_config
from raykd.models.language import check_head, load_language
from raykd.models.outputs import takes_segments
from raykd.models.positions import longest_input
from raykd.models.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

LONGEST = 512  # tokens, for a model that sets no limit


@dataclass(frozen=True)
class MaskedInput:
    """A sentence, to be masked at one position, followed by the sentence itself: L tokens in all."""

    ids: list[int]
    """`[L]`, before the mask is set; the inputs of a sentence share one list."""
    segments: list[int] | None
    """`[L]`, 0 for the masked sentence and 1 for the other; None if the tokenizer knows none."""
    position: int
    """Of the mask."""

    @property
    def masked(self) -> int:
        """The id the mask hides."""
        return self.ids[self.position]


@dataclass(frozen=True)
class MaskedLM:
    """A language model in eval mode, float32, on its device."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    vocabulary: Vocabulary
    longest: int
    """Tokens it can read."""

    def scores(self, batch: Sequence[MaskedInput]) -> Tensor:
        """`[B, V]` float32 on the model's device: the logits at the mask of each input."""
        ids = masked_ids(batch, self.tokenizer)
        given = {"input_ids": ids, "attention_mask": padded([[1] * len(each.ids) for each in batch], 0)}
        segments = [each.segments for each in batch if each.segments is not None]
        if len(segments) == len(batch) and takes_segments(self.model):
            given["token_type_ids"] = padded(segments, 0)
        device = self.model.device
        rows = torch.arange(len(batch), device=device)
        masks = torch.tensor([each.position for each in batch], device=device)

        def masks_only(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            states = inputs[0]
            return (states[rows, masks][:, None], *inputs[1:]) if states.dim() == 3 else None

        # The product with the whole vocabulary is most of the memory and, for short sentences, much of the time.
        output = self.model.get_output_embeddings()
        hook = None if output is None else output.register_forward_pre_hook(masks_only)
        try:
            with torch.inference_mode():
                logits = self.model(**{name: value.to(device) for name, value in given.items()}).logits
        finally:
            if hook is not None:
                hook.remove()
        # MobileBERT multiplies with the weights by itself, past the hook.
        at_masks = logits[:, 0] if logits.shape[1] == 1 else logits[rows, masks]
        scores: Tensor = at_masks.float()
        return scores


def masked_ids(batch: Sequence[MaskedInput], tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """`[B, L]` int64: the ids with the masks set, padded on the right."""
    ids = padded([each.ids for each in batch], tokenizer.pad_token_id)
    ids[range(len(batch)), [each.position for each in batch]] = tokenizer.mask_token_id
    return ids


def padded(rows: Sequence[list[int]], fill: int) -> Tensor:
    """`[B, L]` int64, shorter rows filled up on the right."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=fill)


def load_masked_lm(folder: Path) -> MaskedLM:
    """The language model in a checked folder (see source.resolve), on the accelerator if there is one.

    Raises UserError: no encoder, no language-modelling head stored, damaged weights, no fast tokenizer or mask token.
    """
    config = load_config(folder)
    tokenizer = load_tokenizer(folder)
    needed = {"mask": tokenizer.mask_token_id, "padding": tokenizer.pad_token_id}
    absent = [name for name, index in needed.items() if index is None]
    if absent:
        raise UserError(f"'{folder}': the tokenizer has no {' and no '.join(absent)} token, which augmentation needs")
    model, missing = load_language(folder, config)
    check_head(missing, folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()  # type: ignore[arg-type]  # a decorated method
    vocabulary = vocabulary_of(tokenizer, config.vocab_size)
    return MaskedLM(model, tokenizer, vocabulary, min(tokenizer.model_max_length, longest_input(folder) or LONGEST))
